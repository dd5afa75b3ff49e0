// {{description}}.

import { error } from './contract.js';

// The one model there is.
const MODEL = 'echo';

/** One answer in progress, read a batch at a time. */
class Completion {
  constructor(text) {
    this.events = [
      { tag: 'text', val: text },
      { tag: 'finish', val: 'end-turn' },
    ];
  }

  next(max) {
    // A service that streams is read here, one piece each time.
    return this.events.splice(0, max);
  }
}

export const provider = {
  Completion,

  models: () => [
    {
      id: MODEL,
      name: 'Echo',
      context: undefined,
      maxOutput: undefined,
      features: { streaming: true },
      optionsJson: undefined,
    },
  ],

  countTokens: () => undefined,

  complete(request) {
    if (request.model !== MODEL) {
      throw error('not-found', `there is no model \`${request.model}\`; the one there is is \`${MODEL}\``);
    }
    const blocks = request.messages.flatMap((message) => message.blocks);
    const texts = blocks.filter((block) => block.tag === 'part' && block.val.tag === 'text');
    return new Completion(texts.at(-1)?.val.val ?? '');
  },
};
