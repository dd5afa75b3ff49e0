// {{description}}.

import { Failed, tools } from './tools.js';

export const tool = tools([
  {
    name: 'word_count',
    description: 'Counts the words of a text.',
    properties: { text: { type: 'string', description: 'The text.' } },
    required: ['text'],
    readOnly: true,
    run({ text }) {
      const words = text.split(/\s+/).filter((word) => word !== '').length;
      if (words === 0) {
        throw new Failed('there are no words in it; give a `text` with some');
      }
      return `${words} words`;
    },
  },
]);
