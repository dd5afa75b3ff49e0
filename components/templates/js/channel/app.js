// {{description}}.

import { fetch } from 'hydroid:cap/web@0.1.0';
import { deliver } from 'hydroid:channel/inbox@0.1.0';
import { bytesOf, error, utf8 } from './contract.js';

// Where the service is.
const SERVICE = 'https://chat.example.com';

// Most characters of a message.
const MOST_TEXT = 4000;

// Most bytes of an answer of the service.
const MOST = 1 << 20;

export const channel = {
  start: () => ({
    name: '{{name}}',
    features: {},
    maxText: MOST_TEXT,
    ingress: { tag: 'poll', val: 2000 },
    optionsJson: undefined,
  }),

  poll(cursor) {
    const after = cursor == null ? 0 : numberOf(cursor);
    const messages = answer('GET', `/messages?after=${after}`, undefined);
    if (!Array.isArray(messages)) {
      throw error('internal', 'the service answered something else than messages');
    }
    let last = after;
    for (const message of messages) {
      last = Math.max(last, message.id);
      handIn(message);
    }
    return last === after ? cursor : String(last);
  },

  webhook(request) {
    throw error('unsupported', 'requests are not taken');
  },

  send(message) {
    const parts = message.parts.filter((part) => part.tag === 'text');
    const text = parts.map((part) => part.val).join('\n');
    if (text.trim() === '') {
      throw error('invalid-input', 'there is no text to send');
    }
    if (text.length > MOST_TEXT) {
      throw error('too-large', `the text has more than ${MOST_TEXT} characters; send it in parts`);
    }
    const sent = answer('POST', '/messages', { conversation: message.conversation, text });
    if (typeof sent?.id !== 'number') {
      throw error('internal', 'the service answered something else than an identifier');
    }
    return String(sent.id);
  },

  edit(id, message) {
    throw error('unsupported', 'a sent message is not changed');
  },

  action(conversation, id, name, argument) {
    throw error('unsupported', `there is no \`${name.slice(0, 40)}\``);
  },
};

function numberOf(cursor) {
  const number = /^[0-9]+$/.test(cursor) ? Number(cursor) : NaN;
  if (!Number.isSafeInteger(number)) {
    throw error('invalid-input', "the cursor is none of this channel's; begin without one");
  }
  return number;
}

// Hands in what the service sent. What could not be kept ends the poll, and comes again.
function handIn(message) {
  try {
    deliver({
      id: String(message.id),
      conversation: message.conversation,
      thread: undefined,
      sender: message.sender,
      senderName: undefined,
      sentS: message.sent_s,
      parts: [{ tag: 'text', val: message.text }],
      replyTo: undefined,
      action: undefined,
      detailsJson: undefined,
    });
  } catch (thrown) {
    // A sender who may not speak holds nobody up. The host's errors are in `payload`.
    if (thrown?.payload?.kind !== 'denied') {
      throw thrown;
    }
  }
}

// What the service answers, which is JSON.
function answer(method, path, sending) {
  const response = fetch(
    {
      method,
      url: SERVICE + path,
      headers:
        sending === undefined
          ? []
          : [{ name: 'content-type', value: bytesOf('application/json') }],
      body: sending === undefined ? new Uint8Array() : bytesOf(JSON.stringify(sending)),
      timeoutMs: undefined,
    },
    undefined,
  );
  if (response.status() !== 200) {
    throw error('unavailable', `the service answered ${response.status()}`);
  }
  const body = [];
  for (let piece; (piece = response.read(4096)) != null; ) {
    body.push(...piece);
    if (body.length > MOST) {
      throw error('too-large', 'the service answered too much');
    }
  }
  try {
    return JSON.parse(utf8(new Uint8Array(body)));
  } catch (thrown) {
    throw error('internal', `the service answered something else: ${thrown}`);
  }
}
