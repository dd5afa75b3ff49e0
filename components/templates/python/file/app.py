"""{{description}}."""

import tools
from wit_world import exports
from wit_world.imports import fs_read

# Most bytes of a file that are looked at.
MOST = 1 << 20


@tools.offer(
    {
        "path": {
            "type": "string",
            "format": "path",
            "description": "The file, for example `/shared/notes.md`.",
        }
    },
    ["path"],
    read_only=True,
)
def file_word_count(path: str) -> str:
    """Counts the words of a text file."""
    content = fs_read.read(path, 0, MOST)
    return f"{len(content.decode(errors='replace').split())} words"


class Tool(exports.Tool):
    def definitions(self):
        return tools.definitions()

    def invoke(self, call):
        return tools.invoke(call)

