"""{{description}}."""

from contract import refusal
from wit_world import exports
from wit_world.exports import parser
from wit_world.imports.types import ErrorKind


class Parser(exports.Parser):
    def describe(self):
        form = parser.Form(extension="srt", media_type="application/x-subrip")
        return parser.Descriptor(forms=[form], options_json=None)

    def parse(self, name, data):
        try:
            # Codecs of the library that are loaded when they are named are not there any more.
            text = data.decode("utf-8").removeprefix("\ufeff")
        except UnicodeDecodeError:
            raise refusal(ErrorKind.INVALID_INPUT, "it is not text in UTF-8")
        lines = [line.strip() for line in text.splitlines()]
        # What is left out: empty lines, numbers, and times.
        said = [line for line in lines if line.strip("0123456789") and "-->" not in line]
        if not said:
            raise refusal(ErrorKind.INVALID_INPUT, "nothing is said in it")
        section = parser.Section(label=None, text="\n".join(said))
        return parser.Document(title=None, sections=[section], notes=[], options_json=None)
