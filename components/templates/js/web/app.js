// {{description}}.

import { fetch } from 'hydroid:cap/web@0.1.0';
import { utf8 } from './contract.js';
import { Failed, tools } from './tools.js';

// Most bytes of a page that are looked through for its title.
const MOST = 256 << 10;

export const tool = tools([
  {
    name: 'page_title',
    description: 'Says the title of a web page.',
    properties: {
      url: {
        type: 'string',
        format: 'uri',
        description: 'The address, for example `https://example.com/`.',
      },
    },
    required: ['url'],
    readOnly: true,
    openWorld: true,
    run({ url }) {
      const request = {
        method: 'GET',
        url,
        headers: [],
        body: new Uint8Array(),
        timeoutMs: undefined,
      };
      const response = fetch(request, undefined);
      if (response.status() !== 200) {
        throw new Failed(`the page answered ${response.status()}; try another address`);
      }
      const page = [];
      for (let piece; page.length < MOST && (piece = response.read(4096)) != null; ) {
        page.push(...piece);
      }
      const title = /<title>(.*?)<\/title>/s.exec(utf8(new Uint8Array(page)));
      if (title === null) {
        throw new Failed('the page has no title; try another address');
      }
      return title[1].trim();
    },
  },
]);
