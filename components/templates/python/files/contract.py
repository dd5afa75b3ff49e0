"""What the contract has and the language has not: an error is of a kind. Not a framework."""

from componentize_py_types import Err
from wit_world.imports.types import Error, ErrorKind


def refusal(kind: ErrorKind, message: str) -> Err:
    """What to raise where something cannot be done; whoever reads the sentence acts on it."""
    return Err(
        Error(
            kind=kind,
            message=message,
            code=None,
            retry_after_ms=None,
            sent=False,
            details_json=None,
        )
    )
