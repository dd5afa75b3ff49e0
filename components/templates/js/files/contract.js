// What the contract has and the engine has not: an error is of a kind, and text is bytes of UTF-8.
// Not a framework.

/**
 * What to throw where something cannot be done; whoever reads the sentence acts on it.
 * @param {string} kind as the contract has it, such as `invalid-input`
 * @param {string} message
 */
export function error(kind, message) {
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
 * The text of these bytes. What is no UTF-8 becomes U+FFFD.
 * @param {Uint8Array} bytes
 */
export function utf8(bytes) {
  return decode(bytes, () => '\ufffd');
}

/**
 * The text of these bytes, or `invalid-input` if they are no UTF-8.
 * @param {Uint8Array} bytes
 */
export function strictUtf8(bytes) {
  return decode(bytes, () => {
    throw error('invalid-input', 'it is not text in UTF-8');
  });
}

/**
 * The bytes of this text.
 * @param {string} text
 */
export function bytesOf(text) {
  const bytes = [];
  for (const letter of text) {
    let code = letter.codePointAt(0);
    // Half of a pair is no character.
    code = code >= 0xd800 && code < 0xe000 ? 0xfffd : code;
    if (code < 0x80) {
      bytes.push(code);
    } else if (code < 0x800) {
      bytes.push(0xc0 | (code >> 6), 0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
      bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    } else {
      bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f));
      bytes.push(0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f));
    }
  }
  return new Uint8Array(bytes);
}

// The least character that needs this many further bytes; written longer it is no UTF-8.
const LEAST = [0, 0x80, 0x800, 0x10000];

function decode(bytes, invalid) {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at++];
    if (first < 0x80) {
      text += String.fromCharCode(first);
      continue;
    }
    const more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0;
    const rest = Array.from(bytes.subarray(at, at + more));
    let code = first & (0x3f >> more);
    for (const byte of rest) {
      code = (code << 6) | (byte & 0x3f);
    }
    const whole = more > 0 && rest.length === more && rest.every((byte) => (byte & 0xc0) === 0x80);
    const surrogate = code >= 0xd800 && code < 0xe000;
    if (!whole || code < LEAST[more] || code > 0x10ffff || surrogate) {
      text += invalid();
      continue;
    }
    text += String.fromCodePoint(code);
    at += more;
  }
  return text;
}
