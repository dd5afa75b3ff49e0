// Turns plain functions into tools. Not a framework: it knows nothing between two calls, each of
// which has a fresh engine.

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

function error(kind, message) {
  return {
    kind,
    message,
    code: undefined,
    retryAfterMs: undefined,
    sent: false,
    detailsJson: undefined,
  };
}

/**
 * Text of UTF-8: the engine has no TextDecoder. What is no UTF-8 becomes U+FFFD.
 * @param {Uint8Array} bytes
 */
export function utf8(bytes) {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++];
    const more = first < 0x80 ? 0 : first < 0xc2 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : -1;
    const rest = more > 0 ? bytes.slice(at, at + more) : [];
    if (more < 0 || rest.length < more || !rest.every((byte) => (byte & 0xc0) === 0x80)) {
      text += '\ufffd';
      continue;
    }
    let code = more === 0 ? first : first & (0x3f >> more);
    for (const byte of rest) {
      code = (code << 6) | (byte & 0x3f);
    }
    at += more;
    text += code > 0x10ffff ? '\ufffd' : String.fromCodePoint(code);
  }
  return text;
}
