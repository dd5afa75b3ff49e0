"""{{description}}."""

import math

from contract import refusal
from wit_world import exports
from wit_world.exports import embedder
from wit_world.imports import control
from wit_world.imports.types import ErrorKind

# Numbers in a vector.
DIMENSIONS = 64


class Embedder(exports.Embedder):
    def describe(self):
        return embedder.Descriptor(
            # Whoever keeps vectors makes them anew when this changes.
            model="letter-pairs-1",
            dimensions=DIMENSIONS,
            max_input_tokens=None,
            max_batch=64,
            normalized=True,
            options_json=None,
        )

    def embed(self, inputs, purpose):
        numbers = []
        for text in inputs:
            if control.cancelled():
                raise refusal(ErrorKind.CANCELLED, "it was cancelled")
            numbers.extend(vector_of(text))
        return numbers


def vector_of(text: str) -> list[float]:
    vector = [0.0] * DIMENSIONS
    letters = [ord(letter) for letter in text.lower()]
    for one, next_one in zip(letters, letters[1:]):
        vector[(one * 31 + next_one) % DIMENSIONS] += 1.0
    length = math.sqrt(sum(number * number for number in vector))
    # A text without a pair of letters has no direction.
    return [number / length for number in vector] if length > 0 else vector
