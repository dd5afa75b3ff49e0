"""The socket: hello, requests with their replies, and coming back after a cut.

What may be asked twice without harm is asked again by itself; of anything else the caller is told
that it may or may not have been done.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import Callable, Mapping
from typing import Any, cast

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from . import protocol
from .errors import ConnectionLost, HydroidError, Refused

PROTOCOL = 1

#: Requests that do more when they come twice, unless they have a key of their own.
ONCE = frozenset({"aside", "answer", "rewind", "upload_begin", "upload_part"})
KEYED = frozenset({"create", "fork", "say", "steer"})

#: Codes after which `hello` will not do better by itself.
FINAL = frozenset({"unauthenticated", "forbidden", "unsupported_protocol", "invalid", "bad_message"})

#: Seconds before the first and the last attempt of coming back.
SOONEST, LATEST = 0.1, 5.0

#: Times that a request waits because the host says that it comes too often.
PATIENCE = 20


class Pending:
    """A request that is not answered yet."""

    def __init__(self, request: dict[str, Any], piece: Callable[[str], None] | None) -> None:
        self.request = request
        self.piece = piece
        self.reply: asyncio.Future[protocol.Reply] = asyncio.get_running_loop().create_future()

    @property
    def again(self) -> bool:
        """Asking twice does no harm."""
        kind = self.request["type"]
        return "key" in self.request if kind in KEYED else kind not in ONCE


class Connection:
    """One connection that comes back. `resume` says what is followed, `told` takes what comes."""

    def __init__(
        self,
        url: str,
        token: str | None,
        program: tuple[str, str],
        resume: Callable[[], list[protocol.Resume]],
        told: Callable[[dict[str, Any]], None],
        gone: Callable[[str], None],
    ) -> None:
        self._url = socket_url(url)
        self._token = token
        self._program = program
        self._resume, self._told, self._gone = resume, told, gone
        self._ids = itertools.count(1)
        self._pending: dict[int, Pending] = {}
        self._socket: ClientConnection | None = None
        self._open = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._failure: HydroidError | None = None
        self.welcome: protocol.ReplyWelcome | None = None

    async def start(self) -> None:
        """Connects once; a host that is not there or refuses is an error here."""
        await self._connect()
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends the connection; what runs at the host goes on."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._socket is not None:
            await self._socket.close()
        self._fail(ConnectionLost("the client was closed"))

    async def request(
        self, kind: str, fields: Mapping[str, Any], piece: Callable[[str], None] | None = None
    ) -> protocol.Reply:
        """Asks, and waits for the reply."""
        request = {name: value for name, value in fields.items() if value is not None}
        for attempt in itertools.count():
            try:
                return await self._asked({"type": kind, **request}, piece)
            except Refused as refused:
                if refused.code != "rate_limited" or attempt >= PATIENCE:
                    raise
                await asyncio.sleep((refused.retry_after_ms or 1000) / 1000)
        raise AssertionError("the loop ends by returning or raising")

    async def _asked(
        self, request: dict[str, Any], piece: Callable[[str], None] | None
    ) -> protocol.Reply:
        if self._failure is not None:
            raise self._failure
        identifier = next(self._ids)
        pending = Pending({**request, "id": identifier}, piece)
        self._pending[identifier] = pending
        try:
            if self._open.is_set():
                await self._send(pending)
            # Otherwise it is sent with the next connection.
            return await pending.reply
        finally:
            self._pending.pop(identifier, None)

    async def _send(self, pending: Pending) -> None:
        socket = self._socket
        # A cut is noticed by the reader, which sees to what was not answered.
        if socket is not None:
            with contextlib.suppress(ConnectionClosed):
                await socket.send(json.dumps(pending.request))

    async def _connect(self) -> None:
        socket = None
        try:
            socket = await connect(self._url, max_size=None, proxy=None, open_timeout=10)
            hello: dict[str, Any] = {
                "type": "hello",
                "id": 0,
                "protocol": PROTOCOL,
                "client": {"name": self._program[0], "version": self._program[1]},
                "resume": self._resume(),
            }
            if self._token is not None:
                hello["token"] = self._token
            await socket.send(json.dumps(hello))
            reply = json.loads(await socket.recv())
        except (OSError, TimeoutError, ConnectionClosed, InvalidHandshake) as error:
            if socket is not None:
                await socket.close()
            if isinstance(error, InvalidStatus) and error.response.status_code in (401, 403):
                raise Refused("forbidden", f"the host refused the connection: {error}") from error
            raise ConnectionLost(f"{self._url} cannot be reached: {error}") from error
        if reply.get("type") != "reply":
            await socket.close()
            raise refusal(reply)
        self.welcome = cast(protocol.ReplyWelcome, reply)
        self._socket = socket
        for session in reply.get("gone", []):
            self._gone(session)
        self._open.set()
        for pending in list(self._pending.values()):
            await self._send(pending)

    async def _run(self) -> None:
        while True:
            await self._read()
            self._open.clear()
            for pending in list(self._pending.values()):
                if not pending.again and not pending.reply.done():
                    text = "the connection was lost; it may or may not have been done"
                    pending.reply.set_exception(ConnectionLost(text))
            if not await self._come_back():
                return

    async def _come_back(self) -> bool:
        wait = SOONEST
        while True:
            await asyncio.sleep(wait * (0.5 + random.random() / 2))
            wait = min(wait * 2, LATEST)
            try:
                await self._connect()
                return True
            except Refused as refused:
                if refused.code in FINAL:
                    self._fail(refused)
                    return False
            except HydroidError:
                continue

    async def _read(self) -> None:
        socket = self._socket
        assert socket is not None, "it is read only after it was opened"
        with contextlib.suppress(ConnectionClosed, OSError):
            async for text in socket:
                self._took(json.loads(text))

    def _took(self, message: dict[str, Any]) -> None:
        kind, identifier = message.get("type"), message.get("id")
        if kind in ("reply", "error") and identifier is not None:
            pending = self._pending.get(identifier)
            if pending is None or pending.reply.done():
                return
            if kind == "reply":
                pending.reply.set_result(cast(protocol.Reply, message))
            else:
                pending.reply.set_exception(refusal(message))
        elif kind == "aside" and identifier is not None:
            pending = self._pending.get(identifier)
            if pending is not None and pending.piece is not None:
                pending.piece(message["text"])
        else:
            self._told(message)

    def _fail(self, failure: HydroidError) -> None:
        self._failure = failure
        for pending in self._pending.values():
            if not pending.reply.done():
                pending.reply.set_exception(failure)
        self._told({"type": "over", "error": failure})


def refusal(message: Mapping[str, Any]) -> Refused:
    """What the host said no with."""
    return Refused(
        message.get("code", "other"), message.get("message", ""), message.get("retry_after_ms")
    )


def socket_url(url: str) -> str:
    """The socket of a host whose address is `http://…` or `https://…`."""
    for plain, socket in (("http://", "ws://"), ("https://", "wss://")):
        if url.startswith(plain):
            url = socket + url.removeprefix(plain)
    if not url.startswith(("ws://", "wss://")):
        raise ValueError(f"`{url}` is no address of a host; write `http://127.0.0.1:7717`")
    return url.rstrip("/").removesuffix("/api/v1/socket") + "/api/v1/socket"
