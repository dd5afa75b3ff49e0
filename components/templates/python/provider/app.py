"""{{description}}."""

from contract import refusal
from wit_world import exports
from wit_world.exports import provider
from wit_world.imports.types import ErrorKind, Part_Text

# The one model there is.
MODEL = "echo"


class Provider(exports.Provider):
    def models(self):
        model = provider.Model(
            id=MODEL,
            name="Echo",
            context=None,
            max_output=None,
            features=provider.Features.STREAMING,
            options_json=None,
        )
        return [model]

    def count_tokens(self, request):
        return None

    def complete(self, request):
        if request.model != MODEL:
            message = f"there is no model `{request.model}`; the one there is is `{MODEL}`"
            raise refusal(ErrorKind.NOT_FOUND, message)
        blocks = [block for message in request.messages for block in message.blocks]
        texts = [text for block in blocks if (text := text_of(block)) is not None]
        return Completion(texts[-1] if texts else "")


class Completion(provider.Completion):
    """One answer in progress, read a batch at a time."""

    def __init__(self, text: str):
        self.events = [
            provider.Event_Text(text),
            provider.Event_Finish(provider.Stop.END_TURN),
        ]

    def next(self, max):
        # A service that streams is read here, one piece each time.
        batch, self.events = self.events[:max], self.events[max:]
        return batch


def text_of(block: provider.Block) -> str | None:
    if isinstance(block, provider.Block_Part) and isinstance(block.value, Part_Text):
        return block.value.value
    return None
