// {{description}}.

import { read } from 'hydroid:cap/fs-read@0.1.0';
import { utf8 } from './contract.js';
import { tools } from './tools.js';

// Most bytes of a file that are looked at.
const MOST = 1 << 20;

export const tool = tools([
  {
    name: 'file_word_count',
    description: 'Counts the words of a text file.',
    properties: {
      path: {
        type: 'string',
        format: 'path',
        description: 'The file, for example `/shared/notes.md`.',
      },
    },
    required: ['path'],
    readOnly: true,
    run({ path }) {
      const text = utf8(read(path, 0, MOST));
      return `${text.split(/\s+/).filter((word) => word !== '').length} words`;
    },
  },
]);
