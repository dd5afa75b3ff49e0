"""The types are those of the golden samples: nothing too much, nothing missing."""

import json
import types
import typing
import unittest
from pathlib import Path

from hydroid import protocol

SAMPLES = Path(__file__).parents[3] / "tests/fixtures/protocol/1.jsonl"


def problem(value: object, of: object) -> str | None:
    """Why a value is not of a type; none if it is."""
    if isinstance(of, typing.ForwardRef):
        of = getattr(protocol, of.__forward_arg__)
    if isinstance(of, str):
        of = getattr(protocol, of)
    origin, arguments = typing.get_origin(of), typing.get_args(of)
    if of is typing.Any:
        return None
    if of is type(None):
        return None if value is None else f"{value!r} is not null"
    if origin in (typing.Union, types.UnionType):
        problems = [problem(value, one) for one in arguments]
        return None if None in problems else "; ".join(str(one) for one in problems)[:500]
    if origin in (typing.NotRequired, typing.Required):
        return problem(value, arguments[0])
    if origin is typing.Literal:
        return None if value in arguments else f"{value!r} is none of {arguments}"
    if origin is list:
        if not isinstance(value, list):
            return f"{value!r} is no list"
        return next(filter(None, (problem(one, arguments[0]) for one in value)), None)
    if typing.is_typeddict(of):
        return record(value, of)
    if of is float:
        of = (int, float)
    if isinstance(value, bool) and of is not bool:
        return f"{value!r} is no {of}"
    return None if isinstance(value, of) else f"{value!r} is no {of}"


def record(value: object, of: type) -> str | None:
    """Why a value is not this record."""
    if not isinstance(value, dict):
        return f"{value!r} is no {of.__name__}"
    hints = typing.get_type_hints(of, include_extras=True)
    for name in value:
        if name not in hints:
            return f"{of.__name__} has no `{name}`"
    for name, hint in hints.items():
        optional = typing.get_origin(hint) is typing.NotRequired
        if name not in value:
            if not optional:
                return f"{of.__name__} lacks `{name}`"
        elif found := problem(value[name], hint):
            return f"{of.__name__}.{name}: {found}"
    return None


class Samples(unittest.TestCase):
    """Every sample against the type of its side."""

    def test_every_sample_has_its_type(self) -> None:
        lines = SAMPLES.read_text().splitlines()
        self.assertGreater(len(lines), 80)
        for line in lines:
            sample = json.loads(line)
            of = protocol.ClientMessage if sample["from"] == "client" else protocol.ServerMessage
            self.assertIsNone(problem(sample["message"], of), line)

    def test_what_does_not_fit_is_found(self) -> None:
        for wrong in (
            {"type": "say", "session": "s"},
            {"type": "say", "session": "s", "text": 1},
            {"type": "say", "session": "s", "text": "t", "more": 1},
            {"type": "none"},
        ):
            self.assertIsNotNone(problem(wrong, protocol.ClientMessage), wrong)


if __name__ == "__main__":
    unittest.main()
