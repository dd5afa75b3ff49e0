// {{description}}.

import { error, strictUtf8 } from './contract.js';

export const parser = {
  describe: () => ({
    forms: [{ extension: 'srt', mediaType: 'application/x-subrip' }],
    optionsJson: undefined,
  }),

  parse(name, data) {
    const text = strictUtf8(data).replace(/^\ufeff/, '');
    const lines = text.split('\n').map((line) => line.trim());
    // What is left out: empty lines, numbers, and times.
    const said = lines.filter((line) => !/^[0-9]*$/.test(line) && !line.includes('-->'));
    if (said.length === 0) {
      throw error('invalid-input', 'nothing is said in it');
    }
    return {
      title: undefined,
      sections: [{ label: undefined, text: said.join('\n') }],
      notes: [],
      optionsJson: undefined,
    };
  },
};
