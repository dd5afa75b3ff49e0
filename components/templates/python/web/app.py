"""{{description}}."""

import re

import tools
from wit_world import exports
from wit_world.imports import web

# Most bytes of a page that are looked through for its title.
MOST = 256 << 10


@tools.offer(
    {
        "url": {
            "type": "string",
            "format": "uri",
            "description": "The address, for example `https://example.com/`.",
        }
    },
    ["url"],
    read_only=True,
    open_world=True,
)
def page_title(url: str) -> str:
    """Says the title of a web page."""
    request = web.Request(method="GET", url=url, headers=[], body=b"", timeout_ms=None)
    page = b""
    with web.fetch(request, None) as response:
        if response.status() != 200:
            raise tools.Failed(f"the page answered {response.status()}; try another address")
        while len(page) < MOST and (piece := response.read(65536)) is not None:
            page += piece
    title = re.search("<title>(.*?)</title>", page.decode(errors="replace"), re.DOTALL)
    if title is None:
        raise tools.Failed("the page has no title; try another address")
    return title.group(1).strip()


class Tool(exports.Tool):
    def definitions(self):
        return tools.definitions()

    def invoke(self, call):
        return tools.invoke(call)

