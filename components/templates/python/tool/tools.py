"""Turns plain functions into tools: a docstring is the description, a schema says the arguments.

Not a framework: it knows nothing between two calls, each of which has a fresh interpreter.
"""

import json
from typing import Any, Callable

from componentize_py_types import Err
from contract import refusal
from wit_world.exports import tool
from wit_world.imports.types import ErrorKind, Part_Text


class Failed(Exception):
    """The tool ran and failed; the model reads the sentence and may try otherwise."""


# What the types of a schema are here; a number that is a truth value is neither.
_TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}

_TOOLS: dict[str, tuple[tool.Definition, Callable[..., str]]] = {}


def offer(properties: dict[str, Any], required: list[str], **claims: bool):
    """Makes a tool of a function. Claims: read_only, idempotent, open_world, destructive."""

    def decorate(function: Callable[..., str]) -> Callable[..., str]:
        read_only = claims.get("read_only", False)
        schema = {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }
        definition = tool.Definition(
            name=function.__name__,
            title=None,
            description=" ".join((function.__doc__ or "").split()),
            input_schema=json.dumps(schema),
            output_schema=None,
            hints=tool.Hints(
                read_only=read_only,
                destructive=claims.get("destructive", not read_only),
                idempotent=claims.get("idempotent", read_only),
                open_world=claims.get("open_world", False),
            ),
            options_json=None,
        )
        _TOOLS[function.__name__] = (definition, function)
        return function

    return decorate


def definitions() -> list[tool.Definition]:
    return [definition for definition, _ in _TOOLS.values()]


def invoke(call: tool.Call) -> tool.Outcome:
    if call.name not in _TOOLS:
        raise refusal(ErrorKind.NOT_FOUND, f"no tool `{call.name}` here")
    definition, function = _TOOLS[call.name]
    try:
        arguments = json.loads(call.args_json or "{}")
        schema = json.loads(definition.input_schema)
        if not isinstance(arguments, dict):
            raise ValueError("they are not an object")
        unknown = sorted(set(arguments) - set(schema["properties"]))
        missing = sorted(set(schema["required"]) - set(arguments))
        if unknown or missing:
            raise ValueError(f"unknown: {unknown}, missing: {missing}")
        for name, value in arguments.items():
            wanted = schema["properties"][name].get("type", "object")
            if not _is(wanted, value):
                raise ValueError(f"`{name}` is no {wanted}")
    except (ValueError, RecursionError) as error:
        raise refusal(ErrorKind.INVALID_INPUT, f"the arguments do not fit: {error}")
    try:
        return _outcome(function(**arguments), False)
    except Failed as failure:
        return _outcome(str(failure), True)
    except Err as refused:
        # What the host refuses is something the model can act on.
        if refused.value.kind == ErrorKind.CANCELLED:
            raise
        return _outcome(refused.value.message, True)
    except (AttributeError, TypeError, ValueError) as error:
        raise refusal(ErrorKind.INVALID_INPUT, f"the arguments do not fit: {error}")


def _is(wanted: str, value: Any) -> bool:
    if isinstance(value, bool) and wanted != "boolean":
        return False
    return isinstance(value, _TYPES[wanted])


def _outcome(text: str, is_error: bool) -> tool.Outcome:
    return tool.Outcome(
        content=[Part_Text(text)], structured_json=None, is_error=is_error, options_json=None
    )
