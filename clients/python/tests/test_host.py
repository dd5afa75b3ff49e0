"""The client against a running host, over a road that is cut at every place.

`HYDROID_URL` and `HYDROID_TOKEN` say where the host is; its model is `rehearsal`.
"""

import asyncio
import os
import tempfile
import unittest
from pathlib import Path

from hydroid import Attachment, Hydroid, Refused, protocol

TURN = "list files then say one two three four"


class Road:
    """A way to the host that can be cut: after so many bytes of the host's, or at once."""

    def __init__(self) -> None:
        self.cut_after: int | None = None
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []
        host, port = os.environ["HYDROID_URL"].removeprefix("http://").rsplit(":", 1)
        self._to = (host, int(port))

    async def __aenter__(self) -> "Road":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        self._server.close()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        up_reader, up_writer = await asyncio.open_connection(*self._to)
        self._writers += [writer, up_writer]

        async def carry(read: asyncio.StreamReader, write: asyncio.StreamWriter, down: bool) -> None:
            try:
                while data := await read.read(256):
                    if down and self.cut_after is not None:
                        self.cut_after -= len(data)
                        if self.cut_after < 0:
                            self.cut_after = None
                            write.write(data[: len(data) // 2])
                            await write.drain()
                            self.cut()
                            return
                    write.write(data)
                    await write.drain()
            except OSError:
                pass
            finally:
                write.close()

        await asyncio.gather(carry(reader, up_writer, False), carry(up_reader, writer, True))


class Host(unittest.IsolatedAsyncioTestCase):
    """What a program does with a host."""

    async def test_a_turn_is_said_streamed_and_answered(self) -> None:
        async with Hydroid() as hydroid:
            session = await hydroid.create(title="Rivers")
            answered = await session.ask("say hello there")
            self.assertEqual((answered.text, answered.completed), ("hello there", True))
            kinds = [one["entry"]["kind"] for one in answered.entries]
            self.assertEqual((kinds[0], kinds[-1]), ("turn_started", "turn_ended"))
            pieces = []
            async for message in session.turn(TURN):
                if message["type"] == "entry" and message["entry"]["kind"] == "text":
                    pieces.append(message["entry"]["text"])
            self.assertGreater(len(pieces), 1)

    async def test_a_call_is_approved_or_denied(self) -> None:
        async with Hydroid() as hydroid:
            session = await hydroid.create()
            denied = await session.ask("write no.txt: one")
            ended = [one["entry"] for one in denied.entries if one["entry"]["kind"] == "call_decided"]
            self.assertEqual(ended[-1]["decision"]["decision"], "deny")
            asked: list[str] = []

            async def decide(entry: protocol.EntryApprovalAsked) -> protocol.ApprovalAnswer:
                asked.append(entry["call"]["name"])
                return {"answer": "once"}

            done = await session.ask("write yes.txt: one then read yes.txt", decide=decide)
            self.assertEqual((asked, done.completed), (["file_write"], True))
            outputs = [one["entry"] for one in done.entries if one["entry"]["kind"] == "call_finished"]
            self.assertFalse(any(output["output"]["is_error"] for output in outputs))

    async def test_sessions_are_changed_found_and_removed(self) -> None:
        async with Hydroid() as hydroid:
            session = await hydroid.create(title="One")
            await session.ask("say the word is heliotrope")
            second = await session.ask("say two")
            await session.rename("Other")
            listed = await hydroid.sessions()
            self.assertIn((session.id, "Other"), [(one["session"], one["title"]) for one in listed])
            self.assertEqual((await hydroid.open(session.id[:30])).info["title"], "Other")
            found = await hydroid.search("heliotrope", session=session.id)
            self.assertEqual(found[0]["session"], session.id)
            await session.archive()
            away = [one["session"] for one in await hydroid.sessions(archived=True)]
            self.assertIn(session.id, away)
            await session.archive(False)
            copy = await session.fork(before=second.turn, title="Copy")
            self.assertNotIn("two", await copy.export("markdown"))
            await session.rewind(second.turn)
            self.assertEqual(await session.compact(), 0)
            self.assertEqual(await session.skills(), [])
            for refused in (session.load_skill, session.unload_skill):
                with self.assertRaises(Refused) as raised:
                    await refused("none")
                self.assertEqual(raised.exception.code, "not_found")
            await session.set({"mode": "plan"})
            self.assertEqual((await session.policy())["mode"], "plan")
            await copy.delete()
            with self.assertRaises(Refused) as refused:
                await copy.rename("gone")
            self.assertEqual(refused.exception.code, "not_found")

    async def test_a_file_is_said_with_a_text(self) -> None:
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory) / "dot.png"
            path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(400_000))
            async with Hydroid() as hydroid:
                session = await hydroid.create()
                answered = await session.ask("say seen", attachments=[path])
                parts = answered.entries[0]["entry"]["parts"]
                media = [part for part in parts if part["type"] == "media"]
                self.assertEqual((media[0]["media_type"], media[0]["name"]), ("image/png", "dot.png"))
                with self.assertRaises(Refused):
                    await session.say("x", attachments=[Attachment("a", "image/png", b"")])

    async def test_a_turn_is_cancelled_and_spoken_into(self) -> None:
        async with Hydroid() as hydroid:
            session = await hydroid.create()
            with self.assertRaises(Refused) as refused:
                await session.steer("shorter")
            self.assertEqual(refused.exception.code, "nothing_runs")

            async def decide(_: protocol.EntryApprovalAsked) -> protocol.ApprovalAnswer:
                await session.cancel()
                return {"answer": "once"}

            answered = await session.ask("write a.txt: one", decide=decide)
            self.assertEqual(answered.outcome["outcome"], "cancelled")

    async def test_two_streams_of_a_session_see_the_same(self) -> None:
        async with Hydroid() as hydroid:
            session = await hydroid.create()
            seen: list[int] = []

            async def watch() -> None:
                async with session.stream(0) as stream:
                    async for message in stream:
                        if message["type"] == "entry":
                            seen.append(message["seq"])
                            if message["entry"]["kind"] == "turn_ended" and len(seen) > 10:
                                return

            watching = asyncio.create_task(watch())
            for _ in range(3):
                await session.ask("say hello")
            await asyncio.wait_for(watching, 20)
            self.assertEqual(seen, list(range(1, len(seen) + 1)))

    async def test_a_road_cut_at_many_places_loses_and_repeats_nothing(self) -> None:
        async with Hydroid() as hydroid:
            whole = await (await hydroid.create()).ask(TURN)
        expect = [one["seq"] for one in whole.entries]
        cuts = 0
        for after in range(0, 6000, 211):
            async with Road() as road:
                async with Hydroid(road.url, os.environ["HYDROID_TOKEN"]) as hydroid:
                    road.cut_after = after
                    session = await hydroid.create()
                    answered = await asyncio.wait_for(session.ask(TURN), 30)
                    self.assertEqual([one["seq"] for one in answered.entries], expect, after)
                    self.assertEqual(answered.text, whole.text)
                    self.assertEqual(len(await session.entries()), len(expect))
                    await session.delete()
                    cuts += road.connections > 1
        self.assertGreater(cuts, 10)

    async def test_who_is_not_let_in_is_told_so(self) -> None:
        for token in ("hyd_wrong", None):
            with self.assertRaises(Refused) as refused:
                async with Hydroid(os.environ["HYDROID_URL"], token):
                    pass
            self.assertEqual(refused.exception.code, "unauthenticated")


if __name__ == "__main__":
    unittest.main()
