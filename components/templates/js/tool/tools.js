// Turns plain functions into tools. Not a framework: it knows nothing between two calls, each of
// which has a fresh engine.

import { error } from './contract.js';

/** The tool ran and failed; the model reads the sentence and may try otherwise. */
export class Failed extends Error {}

/**
 * The tools of a component, ready to be exported as `tool`.
 * @param {Array<{name: string, description: string, properties: object, required: string[],
 *   readOnly?: boolean, openWorld?: boolean, run: (args: any) => string}>} offered
 */
export function tools(offered) {
  const schema = ({ properties, required }) => ({
    type: 'object',
    properties,
    required,
    additionalProperties: false,
  });
  return {
    definitions: () =>
      offered.map((tool) => ({
        name: tool.name,
        title: undefined,
        description: tool.description,
        inputSchema: JSON.stringify(schema(tool)),
        outputSchema: undefined,
        hints: {
          readOnly: tool.readOnly ?? false,
          destructive: !(tool.readOnly ?? false),
          idempotent: tool.readOnly ?? false,
          openWorld: tool.openWorld ?? false,
        },
        optionsJson: undefined,
      })),

    invoke(call) {
      const tool = offered.find((tool) => tool.name === call.name);
      if (tool === undefined) {
        throw error('not-found', `no tool \`${call.name}\` here`);
      }
      const args = parse(call.argsJson, tool);
      try {
        return outcome(tool.run(args), false);
      } catch (thrown) {
        if (thrown instanceof Failed) {
          return outcome(thrown.message, true);
        }
        // What the host refuses is something the model can act on.
        const refused = thrown?.payload ?? thrown;
        if (typeof refused?.kind === 'string' && refused.kind !== 'cancelled') {
          return outcome(refused.message, true);
        }
        throw typeof refused?.kind === 'string'
          ? refused
          : error('invalid-input', `the arguments do not fit: ${thrown}`);
      }
    },
  };
}

function parse(text, tool) {
  let args;
  try {
    args = JSON.parse(text || '{}');
  } catch (thrown) {
    throw error('invalid-input', `the arguments are not JSON: ${thrown}`);
  }
  if (args === null || typeof args !== 'object' || Array.isArray(args)) {
    throw error('invalid-input', 'the arguments are not an object');
  }
  for (const name of tool.required) {
    if (!Object.hasOwn(args, name)) {
      throw error('invalid-input', `the argument \`${name}\` is missing`);
    }
  }
  for (const [name, value] of Object.entries(args)) {
    const wanted = Object.hasOwn(tool.properties, name) ? tool.properties[name] : undefined;
    if (wanted === undefined || (wanted.type === 'string' && typeof value !== 'string')) {
      throw error('invalid-input', `the argument \`${name}\` does not fit`);
    }
  }
  return args;
}

function outcome(text, isError) {
  return {
    content: [{ tag: 'text', val: text }],
    structuredJson: undefined,
    isError,
    optionsJson: undefined,
  };
}
