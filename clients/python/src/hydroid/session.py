"""A session: what is said in it, what it tells, and what is done with it as a whole."""

from __future__ import annotations

import asyncio
import base64
import mimetypes
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from . import protocol
from .errors import ConnectionLost, HydroidError, Refused

if TYPE_CHECKING:
    from .client import Hydroid

#: Entries that wait for whoever reads a stream. Beyond, the host is asked again for what was left
#: out, so that a slow reader costs no memory and loses nothing.
WAITING = 4096

#: Bytes of a file that are handed up at once.
PIECE = 256 << 10

#: How often files and words are handed up again after a cut.
TRIES = 5

#: Asked about a call that waits for an approval.
Decide = Callable[[protocol.EntryApprovalAsked], Awaitable[protocol.ApprovalAnswer]]


@dataclass(frozen=True)
class Attachment:
    """A file to be said together with a text."""

    name: str
    media_type: str
    data: bytes

    @classmethod
    def of(cls, path: str | Path) -> Attachment:
        """A file as it is on this machine."""
        path = Path(path)
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return cls(path.name, kind, path.read_bytes())


@dataclass
class Answered:
    """A turn that has ended."""

    turn: str
    text: str = ""
    thinking: str = ""
    outcome: protocol.Outcome = field(
        default_factory=lambda: protocol.OutcomeInterrupted(outcome="interrupted")
    )
    usage: protocol.Usage | None = None
    dollars: float | None = None
    entries: list[protocol.NumberedEntry] = field(default_factory=list)

    @property
    def completed(self) -> bool:
        """The model gave its final answer."""
        return self.outcome["outcome"] == "completed"


class Stream:
    """What a session tells: `entry` in order and each once, and what is transient between."""

    def __init__(self, client: Hydroid, session: str, after: int) -> None:
        self._client = client
        self.session = session
        self.last = after
        self.followed = False
        self._behind = False
        self._waiting: deque[protocol.SessionMessage] = deque()
        self._news = asyncio.Event()
        self._end: HydroidError | None = None

    async def follow(self) -> None:
        """Begins, or goes on, after the last entry."""
        self._behind, self.followed = False, True
        self._client.join(self)
        try:
            after = self._client.followed_after(self.session)
            await self._client.request("open", {"session": self.session, "after": after})
        except HydroidError:
            self.followed = False
            raise

    def take(self, message: dict[str, Any]) -> None:
        """Takes what the host tells."""
        kind = message["type"]
        if kind == "entry":
            if self._behind or message["seq"] <= self.last:
                return
            if len(self._waiting) >= WAITING:
                self._is_behind()
                return
            self.last = message["seq"]
        elif kind == "stopped":
            if message["reason"] == "deleted":
                self.end(HydroidError(f"session `{self.session}` was deleted"))
            elif message["reason"] != "shutting_down":
                self._is_behind()
            return
        elif kind not in ("progress", "state") or len(self._waiting) >= WAITING:
            return
        self._waiting.append(cast(protocol.SessionMessage, message))
        self._news.set()

    def _is_behind(self) -> None:
        self._behind, self.followed = True, False
        self._news.set()

    def end(self, error: HydroidError) -> None:
        """Nothing comes any more."""
        self._end = self._end or error
        self.followed = False
        self._news.set()

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> protocol.SessionMessage:
        while not self._waiting:
            if self._end is not None:
                raise self._end
            if self._behind:
                await self.follow()
                continue
            self._news.clear()
            await self._news.wait()
        return self._waiting.popleft()

    async def close(self) -> None:
        """Follows the session no more; what runs in it goes on."""
        followed, self.followed = self.followed, False
        self._client.leave(self)
        if followed and self._client.followed_after(self.session) is None:
            try:
                await self._client.request("close", {"session": self.session})
            except HydroidError:
                pass  # It is not followed any more, which is what was wanted.

    async def __aenter__(self) -> Stream:
        await self.follow()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Session:
    """A session of the person's."""

    def __init__(self, client: Hydroid, info: protocol.SessionInfo) -> None:
        self._client = client
        self.info = info

    @property
    def id(self) -> str:
        """Its identifier."""
        return self.info["session"]

    def stream(self, after: int | None = None) -> Stream:
        """What it tells from after an entry on; without one, from what `info` says is the last.

        Used as `async with session.stream() as told: async for message in told: …`.
        """
        return Stream(self._client, self.id, self.info["last_seq"] if after is None else after)

    # ---- turns ----

    async def say(
        self,
        text: str,
        *,
        attachments: list[Attachment | Path | str] | None = None,
        key: str | None = None,
    ) -> protocol.ReplyAccepted:
        """Says something, which starts a turn, or queues one; once, also over a lost connection."""
        key = key or f"python-{uuid.uuid4()}"
        files = [one if isinstance(one, Attachment) else Attachment.of(one) for one in attachments or []]
        for attempt in range(TRIES):
            try:
                uploads = [await self._upload(file) for file in files]
                fields = {"text": text, "attachments": uploads or None, "key": key}
                return cast(protocol.ReplyAccepted, await self._request("say", **fields))
            except ConnectionLost:
                # Only files are not handed up again by themselves.
                if not files or attempt + 1 == TRIES:
                    raise
            except Refused as refused:
                lost = files and refused.code in ("invalid", "not_found")
                if not lost or attempt + 1 == TRIES:
                    raise
        raise AssertionError("the loop ends by returning or raising")

    async def ask(
        self,
        text: str,
        *,
        attachments: list[Attachment | Path | str] | None = None,
        decide: Decide | None = None,
        key: str | None = None,
    ) -> Answered:
        """Says something and waits for the end of its turn.

        Each call that waits for an approval is put to `decide`; without it they are denied.
        """
        answered: Answered | None = None
        async for message in self.turn(text, attachments=attachments, decide=decide, key=key):
            if message["type"] != "entry":
                continue
            entry = message["entry"]
            if entry["kind"] == "turn_started":
                answered = Answered(entry["turn"])
            assert answered is not None, "a turn begins with its first entry"
            answered.entries.append(
                {"seq": message["seq"], "at_ms": message["at_ms"], "entry": entry}
            )
            if entry["kind"] == "text":
                answered.text += entry["text"]
            elif entry["kind"] == "thinking":
                answered.thinking += entry["text"]
            elif entry["kind"] == "turn_ended":
                answered.outcome, answered.usage = entry["outcome"], entry["usage"]
                answered.dollars = entry.get("dollars")
        assert answered is not None, "a turn that ended has begun"
        return answered

    async def turn(
        self,
        text: str,
        *,
        attachments: list[Attachment | Path | str] | None = None,
        decide: Decide | None = None,
        key: str | None = None,
    ) -> AsyncIterator[protocol.SessionMessage]:
        """Says something and yields what its turn tells, as it comes, up to its end."""
        key = key or f"python-{uuid.uuid4()}"
        after = await self._last()
        async with self.stream(after) as stream:
            await self.say(text, attachments=attachments, key=key)
            turn = None
            async for message in stream:
                if message["type"] != "entry":
                    if turn is not None:
                        yield message
                    continue
                entry = message["entry"]
                if entry["kind"] == "turn_started" and entry.get("key") == key:
                    turn = entry["turn"]
                if turn is None or entry.get("turn", turn) != turn:
                    continue
                yield message
                if entry["kind"] == "approval_asked":
                    await self._decided(entry, decide)
                if entry["kind"] == "turn_ended":
                    return

    async def _decided(self, asked: protocol.EntryApprovalAsked, decide: Decide | None) -> None:
        answer: protocol.ApprovalAnswer = {
            "answer": "deny",
            "reason": "the program that asked for this approves nothing",
        }
        if decide is not None:
            answer = await decide(asked)
        try:
            await self.answer(asked["call_id"], answer)
        except ConnectionLost:
            # It may have arrived; then asking again says that nothing is asked.
            try:
                await self.answer(asked["call_id"], answer)
            except Refused as refused:
                if refused.code != "not_asked":
                    raise
        except Refused as refused:
            # Somebody else was quicker, or the turn has ended.
            if refused.code != "not_asked":
                raise

    async def _last(self) -> int:
        followed = self._client.followed_after(self.id)
        if followed is not None:
            return followed
        self.info = (await self._client.open(self.id)).info
        return self.info["last_seq"]

    async def steer(self, text: str, *, key: str | None = None) -> None:
        """Says something into the running turn; once, also over a lost connection."""
        await self._request("steer", text=text, key=key or f"python-{uuid.uuid4()}")

    async def aside(self, text: str, piece: Callable[[str], None] | None = None) -> str:
        """Asks beside the conversation; `piece` is told the answer as it comes."""
        fields = {"session": self.id, "text": text}
        reply = await self._client.request("aside", fields, piece=piece)
        return cast(protocol.ReplyAsideEnded, reply)["text"]

    async def answer(self, call_id: str, answer: protocol.ApprovalAnswer) -> None:
        """Answers an approval that is asked for."""
        await self._request("answer", call_id=call_id, answer=answer)

    async def approve(self, call_id: str) -> None:
        """Lets a call run, this time."""
        await self.answer(call_id, {"answer": "once"})

    async def deny(self, call_id: str, reason: str | None = None) -> None:
        """Lets a call not run; the model reads the reason."""
        await self.answer(call_id, {"answer": "deny", "reason": reason})

    async def cancel(self) -> None:
        """Stops the turn that runs or waits for its place; messages behind it stay."""
        await self._request("cancel")

    # ---- as a whole ----

    async def entries(self, after: int = 0, limit: int | None = None) -> list[protocol.NumberedEntry]:
        """A part of what happened, without following it."""
        reply = await self._request("entries", after=after, limit=limit)
        return cast(protocol.ReplyEntries, reply)["entries"]

    async def rename(self, title: str) -> None:
        """Gives it another title."""
        await self._changed("rename", title=title)

    async def archive(self, archived: bool = True) -> None:
        """Puts it away, or takes it out again."""
        await self._changed("archive", archived=archived)

    async def set(self, settings: protocol.SessionSettings) -> None:
        """Replaces what it has of its own."""
        await self._changed("settings", settings=settings)

    async def fork(
        self, *, before: str | None = None, title: str | None = None, key: str | None = None
    ) -> Session:
        """Copies it into a new one, up to before a turn; once, also over a lost connection."""
        key = key or f"python-{uuid.uuid4()}"
        reply = await self._request("fork", before=before, title=title, key=key)
        return Session(self._client, cast(protocol.ReplySession, reply)["session"])

    async def rewind(self, before: str | None = None) -> None:
        """Lets the conversation forget a turn and what follows it, or everything."""
        await self._request("rewind", before=before)

    async def compact(self) -> int:
        """Sums the older part up; the number of turns that the summary stands for."""
        return cast(protocol.ReplyCompacted, await self._request("compact"))["turns"]

    async def skills(self) -> list[protocol.SkillOffer]:
        """Skills there are, those it has loaded marked."""
        return cast(protocol.ReplySkills, await self._request("skills"))["skills"]

    async def load_skill(self, name: str) -> list[str]:
        """From the next turn on the model reads it; returns what hooks have to say."""
        reply = cast(protocol.ReplySkillLoaded, await self._request("load_skill", skill=name))
        return reply.get("notices", [])

    async def unload_skill(self, name: str) -> None:
        """Lays it down."""
        await self._request("unload_skill", skill=name)

    async def delete(self) -> None:
        """Removes it for good."""
        await self._request("delete")

    async def export(self, format: protocol.ExportFormat = "markdown") -> str:
        """All of it as one text."""
        return cast(protocol.ReplyExport, await self._request("export", format=format))["text"]

    async def policy(self) -> protocol.ReplyPolicy:
        """The rules in force."""
        return cast(protocol.ReplyPolicy, await self._request("policy"))

    async def _changed(self, kind: str, **fields: Any) -> None:
        self.info = cast(protocol.ReplySession, await self._request(kind, **fields))["session"]

    async def _request(self, kind: str, **fields: Any) -> protocol.Reply:
        return await self._client.request(kind, {"session": self.id, **fields})

    async def _upload(self, file: Attachment) -> str:
        about = {"name": file.name, "media_type": file.media_type, "bytes": len(file.data)}
        reply = cast(protocol.ReplyUpload, await self._client.request("upload_begin", about))
        # In base64 a piece is a third larger, and the message has a little more around it.
        most = (self._client.welcome["limits"]["message_bytes"] - 1024) // 4 * 3
        piece = max(1, min(PIECE, most))
        for at in range(0, len(file.data), piece):
            data = base64.b64encode(file.data[at : at + piece]).decode()
            await self._client.request("upload_part", {"upload": reply["upload"], "data": data})
        return reply["upload"]
