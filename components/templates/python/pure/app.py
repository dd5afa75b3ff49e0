"""{{description}}."""

import tools
from wit_world import exports


@tools.offer(
    {"text": {"type": "string", "description": "The text."}},
    ["text"],
    read_only=True,
)
def word_count(text: str) -> str:
    """Counts the words of a text."""
    words = len(text.split())
    if words == 0:
        raise tools.Failed("there are no words in it; give a `text` with some")
    return f"{words} words"


class Tool(exports.Tool):
    def definitions(self):
        return tools.definitions()

    def invoke(self, call):
        return tools.invoke(call)

