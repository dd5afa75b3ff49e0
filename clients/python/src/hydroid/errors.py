"""What can go wrong, as the host says it."""

from __future__ import annotations


class HydroidError(Exception):
    """Anything that goes wrong here."""


class Refused(HydroidError):
    """The host refused a request; `code` is one of `protocol.ErrorCode`."""

    def __init__(self, code: str, message: str, retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_ms = retry_after_ms


class ConnectionLost(HydroidError):
    """The connection was lost, and it is not known whether the request was done."""
