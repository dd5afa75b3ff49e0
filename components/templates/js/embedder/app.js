// {{description}}.

import { cancelled } from 'hydroid:core/control@0.1.0';
import { error } from './contract.js';

// Numbers in a vector.
const DIMENSIONS = 64;

export const embedder = {
  describe: () => ({
    // Whoever keeps vectors makes them anew when this changes.
    model: 'letter-pairs-1',
    dimensions: DIMENSIONS,
    maxInputTokens: undefined,
    maxBatch: 64,
    normalized: true,
    optionsJson: undefined,
  }),

  embed(inputs, purpose) {
    const numbers = new Float32Array(inputs.length * DIMENSIONS);
    inputs.forEach((text, index) => {
      if (cancelled()) {
        throw error('cancelled', 'it was cancelled');
      }
      numbers.set(vectorOf(text), index * DIMENSIONS);
    });
    return numbers;
  },
};

function vectorOf(text) {
  const vector = new Array(DIMENSIONS).fill(0);
  let before;
  for (const letter of text.toLowerCase()) {
    const code = letter.codePointAt(0);
    if (before !== undefined) {
      vector[(before * 31 + code) % DIMENSIONS] += 1;
    }
    before = code;
  }
  const length = Math.hypot(...vector);
  // A text without a pair of letters has no direction.
  return length > 0 ? vector.map((number) => number / length) : vector;
}
