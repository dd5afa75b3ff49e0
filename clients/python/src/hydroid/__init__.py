"""A client of a running Hydroid: sessions, turns, approvals and files over protocol 1."""

from . import protocol
from .client import Hydroid
from .errors import ConnectionLost, HydroidError, Refused
from .session import Answered, Attachment, Session

__all__ = [
    "Answered",
    "Attachment",
    "ConnectionLost",
    "Hydroid",
    "HydroidError",
    "Refused",
    "Session",
    "protocol",
]
