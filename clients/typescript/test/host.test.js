// The client against a running host, over a road that is cut at every place.
// `HYDROID_URL` and `HYDROID_TOKEN` say where the host is; its model is `rehearsal`.

import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import { Hydroid, Refused } from "../hydroid.js";

const TURN = "list files then say one two three four";
const { HYDROID_URL, HYDROID_TOKEN } = process.env;

/** Another socket than Node's own, if the tests have one. */
const WebSocket = process.env.HYDROID_WS ? (await import(process.env.HYDROID_WS)).WebSocket : undefined;

async function connected(options = {}) {
  const hydroid = new Hydroid({ WebSocket, ...options });
  return hydroid.connect();
}

/** A way to the host that can be cut: after so many bytes of the host's. */
async function road() {
  const [host, port] = new URL(HYDROID_URL).host.split(":");
  const way = { cutAfter: undefined, connections: 0, sockets: new Set() };
  const server = net.createServer((down) => {
    way.connections += 1;
    const up = net.connect(Number(port), host);
    for (const socket of [down, up]) {
      way.sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => (down.destroy(), up.destroy()));
    }
    down.pipe(up);
    up.on("data", (data) => {
      if (way.cutAfter !== undefined && (way.cutAfter -= data.length) < 0) {
        way.cutAfter = undefined;
        down.end(data.subarray(0, data.length >> 1));
        up.destroy();
        return;
      }
      down.write(data);
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  way.url = `http://127.0.0.1:${server.address().port}`;
  way.close = () => {
    server.close();
    for (const socket of way.sockets) socket.destroy();
  };
  return way;
}

const refuses = (code) => (error) => error instanceof Refused && error.code === code;

test("a turn is said, streamed and answered", async () => {
  const hydroid = await connected();
  const session = await hydroid.create({ title: "Rivers" });
  const answered = await session.ask("say hello there");
  assert.deepEqual([answered.text, answered.completed], ["hello there", true]);
  const kinds = answered.entries.map(({ entry }) => entry.kind);
  assert.deepEqual([kinds[0], kinds.at(-1)], ["turn_started", "turn_ended"]);
  hydroid.close();
});

test("a call is approved or denied", async () => {
  const hydroid = await connected();
  const session = await hydroid.create();
  const denied = await session.ask("write no-ts.txt: one");
  const decided = denied.entries.findLast(({ entry }) => entry.kind === "call_decided");
  assert.equal(decided.entry.decision.decision, "deny");
  const asked = [];
  const done = await session.ask("write yes-ts.txt: one then read yes-ts.txt", {
    decide: (entry) => (asked.push(entry.call.name), { answer: "once" }),
  });
  assert.deepEqual([asked, done.completed], [["file_write"], true]);
  hydroid.close();
});

test("sessions are changed, found and removed", async () => {
  const hydroid = await connected();
  const session = await hydroid.create({ title: "One" });
  await session.ask("say the word is saxifrage");
  const second = await session.ask("say two");
  await session.rename("Other");
  assert.equal((await hydroid.open(session.id.slice(0, 30))).info.title, "Other");
  assert.equal((await hydroid.search("saxifrage", { session: session.id }))[0].session, session.id);
  await session.archive();
  assert.ok((await hydroid.sessions({ archived: true })).some((one) => one.session === session.id));
  await session.archive(false);
  const copy = await session.fork({ before: second.turn, title: "Copy" });
  assert.ok(!(await copy.export()).includes("two"));
  await session.rewind(second.turn);
  assert.equal(await session.compact(), 0);
  assert.deepEqual(await session.skills(), []);
  await assert.rejects(session.loadSkill("none"), { code: "not_found" });
  await assert.rejects(session.unloadSkill("none"), { code: "not_found" });
  await session.set({ mode: "plan" });
  assert.equal((await session.policy()).mode, "plan");
  await copy.delete();
  await assert.rejects(copy.rename("gone"), refuses("not_found"));
  hydroid.close();
});

test("a file is said with a text", async () => {
  const hydroid = await connected();
  const session = await hydroid.create();
  const data = new Uint8Array(400_000);
  data.set([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]);
  const attachments = [{ name: "dot.png", mediaType: "image/png", data }];
  const answered = await session.ask("say seen", { attachments });
  const media = answered.entries[0].entry.parts.filter((part) => part.type === "media");
  assert.deepEqual([media[0].media_type, media[0].name], ["image/png", "dot.png"]);
  hydroid.close();
});

test("a turn is cancelled, and nothing is said into none", async () => {
  const hydroid = await connected();
  const session = await hydroid.create();
  await assert.rejects(session.steer("shorter"), refuses("nothing_runs"));
  const decide = async () => (await session.cancel(), { answer: "once" });
  const answered = await session.ask("write a-ts.txt: one", { decide });
  assert.equal(answered.outcome.outcome, "cancelled");
  hydroid.close();
});

test("two streams of a session see the same", async () => {
  const hydroid = await connected();
  const session = await hydroid.create();
  const seen = [];
  const watching = (async () => {
    for await (const message of session.stream(0)) {
      if (message.type !== "entry") continue;
      seen.push(message.seq);
      if (message.entry.kind === "turn_ended" && seen.length > 10) return;
    }
  })();
  for (let turn = 0; turn < 3; turn += 1) await session.ask("say hello");
  await watching;
  assert.deepEqual(seen, seen.map((_, at) => at + 1));
  hydroid.close();
});

test("a road that is cut at many places loses and repeats nothing", async () => {
  const plain = await connected();
  const whole = await (await plain.create()).ask(TURN);
  plain.close();
  const expect = whole.entries.map((one) => one.seq);
  let cuts = 0;
  for (let after = 0; after < 6000; after += 211) {
    const way = await road();
    const hydroid = await connected({ url: way.url, token: HYDROID_TOKEN });
    way.cutAfter = after;
    const session = await hydroid.create();
    const answered = await session.ask(TURN);
    assert.deepEqual(answered.entries.map((one) => one.seq), expect, `cut after ${after}`);
    assert.equal(answered.text, whole.text);
    assert.equal((await session.entries()).length, expect.length);
    cuts += way.connections > 1;
    hydroid.close();
    way.close();
  }
  assert.ok(cuts > 10, `${cuts} cuts`);
});

test("who is not let in is told so", async () => {
  await assert.rejects(connected({ url: HYDROID_URL, token: "hyd_wrong" }), refuses("unauthenticated"));
  await assert.rejects(connected({ url: "http://127.0.0.1:9" }), /cannot be reached/);
  assert.throws(() => new Hydroid({ url: "ftp://x" }), /no address/);
});
