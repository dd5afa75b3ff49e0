"""The household as a program sees it: its sessions, and what else belongs to the person."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, cast

from . import protocol
from .connection import Connection
from .errors import HydroidError
from .session import Session, Stream

Told = Callable[[dict[str, Any]], None]


class Hydroid:
    """A connection to a host.

    Without an address, `HYDROID_URL` and `HYDROID_TOKEN` say where it is, or the daemon of this
    user that runs on this machine. It comes back by itself after it was cut off, and everything
    that is followed goes on from the last entry that was seen.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        name: str = "python",
        version: str = "0.1.0",
        on_message: Told | None = None,
    ) -> None:
        if url is None:
            url, token = found(token)
        self._streams: dict[str, list[Stream]] = {}
        self._on_message = on_message
        self._connection = Connection(
            url, token, (name, version), self._resume, self._told, self._gone
        )

    async def __aenter__(self) -> Self:
        await self._connection.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._connection.stop()

    @property
    def welcome(self) -> protocol.ReplyWelcome:
        """Whose sessions these are, and what the limits are."""
        welcome = self._connection.welcome
        if welcome is None:
            raise HydroidError("it is not connected; use `async with Hydroid(…)`")
        return welcome

    async def request(
        self,
        kind: str,
        fields: Mapping[str, Any] | None = None,
        *,
        piece: Callable[[str], None] | None = None,
    ) -> protocol.Reply:
        """Any request of the protocol; those below are the usual ones."""
        return await self._connection.request(kind, fields or {}, piece)

    # ---- sessions ----

    async def create(
        self,
        title: str | None = None,
        settings: protocol.SessionSettings | None = None,
        *,
        key: str | None = None,
    ) -> Session:
        """Begins a session. With a key that was used before, it is the session of then."""
        fields = {"title": title, "settings": settings, "key": key or new_key()}
        reply = cast(protocol.ReplySession, await self.request("create", fields))
        return Session(self, reply["session"])

    async def open(self, session: str) -> Session:
        """A session by its identifier, or the beginning of one."""
        reply = cast(protocol.ReplySession, await self.request("open", {"session": session}))
        identifier = reply["session"]["session"]
        # That followed it from now on; those who follow it already want what is between, too.
        after = self.followed_after(identifier)
        if after is None:
            await self.request("close", {"session": identifier})
        else:
            await self.request("open", {"session": identifier, "after": after})
        return Session(self, reply["session"])

    async def sessions(
        self, *, archived: bool = False, limit: int | None = None
    ) -> list[protocol.SessionInfo]:
        """Sessions, newest first."""
        fields = {"archived": archived, "limit": limit}
        return cast(protocol.ReplySessions, await self.request("sessions", fields))["sessions"]

    async def search(
        self, text: str, *, session: str | None = None, limit: int | None = None
    ) -> list[protocol.Found]:
        """Words in what was said."""
        fields = {"text": text, "session": session, "limit": limit}
        return cast(protocol.ReplyFound, await self.request("search", fields))["found"]

    async def cancel_all(self) -> None:
        """Stops every running turn of the person and drops messages that wait."""
        await self.request("cancel_all")

    # ---- the household ----

    async def status(self) -> protocol.ReplyStatus:
        """How the host is."""
        return cast(protocol.ReplyStatus, await self.request("status"))

    async def models(self) -> list[protocol.ModelOffer]:
        """Models that can be chosen."""
        return cast(protocol.ReplyModels, await self.request("models"))["models"]

    async def tools(self) -> list[protocol.ToolOffer]:
        """Tools on offer."""
        return cast(protocol.ReplyTools, await self.request("tools"))["tools"]

    async def components(self) -> list[protocol.InstalledComponent]:
        """What is installed."""
        return cast(protocol.ReplyComponents, await self.request("components"))["components"]

    async def cost(self, session: str | None = None) -> protocol.ReplyCost:
        """What models have cost."""
        return cast(protocol.ReplyCost, await self.request("cost", {"session": session}))

    async def notes(self, text: str = "") -> list[protocol.KeptNote]:
        """Notes that are kept: those that fit the words best, or the newest."""
        return cast(protocol.ReplyNotes, await self.request("notes", {"text": text}))["notes"]

    async def seen(self, notifications: list[str]) -> None:
        """Notifications that were shown to a person."""
        await self.request("seen", {"notifications": notifications})

    # ---- what comes ----

    def join(self, stream: Stream) -> None:
        """Hands a stream what comes of its session from now on."""
        streams = self._streams.setdefault(stream.session, [])
        if stream not in streams:
            streams.append(stream)

    def leave(self, stream: Stream) -> None:
        """Forgets a stream."""
        streams = self._streams.get(stream.session, [])
        if stream in streams:
            streams.remove(stream)
        if not streams:
            self._streams.pop(stream.session, None)

    def followed_after(self, session: str) -> int | None:
        """The entry after which a session is followed, so that no stream of it misses any."""
        streams = self._streams.get(session, [])
        return min((stream.last for stream in streams if stream.followed), default=None)

    def _resume(self) -> list[protocol.Resume]:
        after = ((session, self.followed_after(session)) for session in self._streams)
        return [{"session": one, "after": last} for one, last in after if last is not None]

    def _gone(self, session: str) -> None:
        for stream in list(self._streams.get(session, [])):
            stream.end(HydroidError(f"session `{session}` is gone"))

    def _told(self, message: dict[str, Any]) -> None:
        if message["type"] == "over":
            for streams in self._streams.values():
                for stream in streams:
                    stream.end(message["error"])
            return
        session = message.get("session")
        if isinstance(session, str):
            for stream in self._streams.get(session, []):
                stream.take(message)
        if self._on_message is not None:
            self._on_message(message)


def found(token: str | None) -> tuple[str, str | None]:
    """Where the host is that nobody named."""
    url = os.environ.get("HYDROID_URL")
    if url:
        return url, token or os.environ.get("HYDROID_TOKEN")
    home = os.environ.get("HYDROID_HOME")
    data = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local/share")
    directory = Path(home) if home else Path(data) / "hydroid"
    try:
        running = json.loads((directory / "run/gateway.json").read_text())
    except (OSError, ValueError) as error:
        text = "no daemon runs here; `hydroid start` starts one, or set HYDROID_URL and HYDROID_TOKEN"
        raise HydroidError(text) from error
    return running["url"], token or running["token"]


def new_key() -> str:
    """A key that nothing had before."""
    return f"python-{uuid.uuid4()}"
