// {{description}}.

import { error } from './contract.js';

export const hook = {
  points: () => [{ point: 'before-tool', tools: ['file_*'], order: 0 }],

  decide(question) {
    const call = parse(question.subjectJson);
    const path = call.arguments?.path;
    if (typeof path === 'string' && path.includes('private')) {
      return { tag: 'deny', val: `\`${call.tool}\` keeps away from what is called private` };
    }
    return { tag: 'proceed' };
  },
};

// A failure is a denial here, so a subject of another shape stops the call.
function parse(text) {
  let call;
  try {
    call = JSON.parse(text);
  } catch (thrown) {
    throw error('invalid-input', `this is no call of a tool: ${thrown}`);
  }
  if (typeof call?.tool !== 'string') {
    throw error('invalid-input', 'this is no call of a tool: it names none');
  }
  return call;
}
