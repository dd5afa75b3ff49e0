// A session: what is said in it, what it tells, and what is done with it as a whole.

import { ConnectionLost } from "./connection.js";
import { Stream } from "./stream.js";

/** Bytes of a file that are handed up at once. */
const PIECE = 256 << 10;

/** How often files and words are handed up again after a cut. */
const TRIES = 5;

const DENIED = { answer: "deny", reason: "the program that asked for this approves nothing" };

/** A key that nothing had before. */
export function newKey() {
  return `typescript-${globalThis.crypto.randomUUID()}`;
}

/** A session of the person's. */
export class Session {
  #client;

  constructor(client, info) {
    this.#client = client;
    this.info = info;
  }

  get id() {
    return this.info.session;
  }

  /** What it tells from after an entry on; without one, from what `info` says is the last. */
  stream(after = this.info.last_seq) {
    return new Stream(this.#client, this.id, after);
  }

  // ---- turns ----

  /** Says something, which starts a turn, or queues one; once, also over a lost connection. */
  async say(text, { attachments = [], key = newKey() } = {}) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const uploads = [];
        for (const file of attachments) uploads.push(await this.#upload(file));
        return await this.#request("say", { text, key, ...(uploads.length > 0 ? { attachments: uploads } : {}) });
      } catch (error) {
        // Only files are not handed up again by themselves.
        const lost = error instanceof ConnectionLost || ["invalid", "not_found"].includes(error.code);
        if (attachments.length === 0 || !lost || attempt === TRIES) throw error;
      }
    }
  }

  /** Says something and yields what its turn tells, as it comes, up to its end. */
  async *turn(text, { attachments, decide, key = newKey() } = {}) {
    const stream = await new Stream(this.#client, this.id, await this.#last()).follow();
    try {
      await this.say(text, { attachments, key });
      let turn;
      for await (const message of stream) {
        if (message.type !== "entry") {
          if (turn !== undefined) yield message;
          continue;
        }
        const { entry } = message;
        if (entry.kind === "turn_started" && entry.key === key) turn = entry.turn;
        if (turn === undefined || (entry.turn ?? turn) !== turn) continue;
        yield message;
        if (entry.kind === "approval_asked") await this.#decided(entry, decide);
        if (entry.kind === "turn_ended") return;
      }
    } finally {
      await stream.return();
    }
  }

  /** Says something and waits for the end of its turn. */
  async ask(text, options = {}) {
    const answered = { turn: "", text: "", thinking: "", outcome: { outcome: "interrupted" }, completed: false, entries: [] };
    for await (const message of this.turn(text, options)) {
      if (message.type !== "entry") continue;
      const { seq, at_ms, entry } = message;
      answered.entries.push({ seq, at_ms, entry });
      if (entry.kind === "turn_started") answered.turn = entry.turn;
      if (entry.kind === "text") answered.text += entry.text;
      if (entry.kind === "thinking") answered.thinking += entry.text;
      if (entry.kind === "turn_ended") {
        const { outcome, usage, dollars } = entry;
        Object.assign(answered, { outcome, usage, dollars, completed: outcome.outcome === "completed" });
      }
    }
    return answered;
  }

  async #decided(asked, decide) {
    const answer = decide ? await decide(asked) : DENIED;
    for (let again = false; ; again = true) {
      try {
        await this.answer(asked.call_id, answer);
        return;
      } catch (error) {
        // Somebody else was quicker, the turn has ended, or it had arrived.
        if (error.code === "not_asked") return;
        if (again || !(error instanceof ConnectionLost)) throw error;
      }
    }
  }

  async #last() {
    const followed = this.#client.followedAfter(this.id);
    if (followed !== undefined) return followed;
    this.info = (await this.#client.open(this.id)).info;
    return this.info.last_seq;
  }

  async steer(text, { key = newKey() } = {}) {
    await this.#request("steer", { text, key });
  }

  /** Asks beside the conversation; `piece` is told the answer as it comes. */
  async aside(text, piece) {
    return (await this.#client.request("aside", { session: this.id, text }, piece)).text;
  }

  async answer(callId, answer) {
    await this.#request("answer", { call_id: callId, answer });
  }

  async approve(callId) {
    await this.answer(callId, { answer: "once" });
  }

  async deny(callId, reason) {
    await this.answer(callId, { answer: "deny", reason });
  }

  async cancel() {
    await this.#request("cancel");
  }

  // ---- as a whole ----

  async entries({ after, limit } = {}) {
    return (await this.#request("entries", { after, limit })).entries;
  }

  async rename(title) {
    await this.#changed("rename", { title });
  }

  async archive(archived = true) {
    await this.#changed("archive", { archived });
  }

  async set(settings) {
    await this.#changed("settings", { settings });
  }

  async fork({ before, title, key = newKey() } = {}) {
    return new Session(this.#client, (await this.#request("fork", { before, title, key })).session);
  }

  async rewind(before) {
    await this.#request("rewind", { before });
  }

  async compact() {
    return (await this.#request("compact")).turns;
  }

  async skills() {
    return (await this.#request("skills")).skills;
  }

  async loadSkill(skill) {
    return (await this.#request("load_skill", { skill })).notices ?? [];
  }

  async unloadSkill(skill) {
    await this.#request("unload_skill", { skill });
  }

  async delete() {
    await this.#request("delete");
  }

  async export(format = "markdown") {
    return (await this.#request("export", { format })).text;
  }

  async policy() {
    return this.#request("policy");
  }

  async #changed(type, fields) {
    this.info = (await this.#request(type, fields)).session;
  }

  #request(type, fields = {}) {
    return this.#client.request(type, { session: this.id, ...fields });
  }

  async #upload({ name, mediaType, data }) {
    const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
    const begun = await this.#client.request("upload_begin", { name, media_type: mediaType, bytes: bytes.length });
    // In base64 a piece is a third larger, and the message has a little more around it.
    const most = Math.floor((this.#client.welcome.limits.message_bytes - 1024) / 4) * 3;
    const piece = Math.max(1, Math.min(PIECE, most));
    for (let at = 0; at < bytes.length; at += piece) {
      await this.#client.request("upload_part", { upload: begun.upload, data: encoded(bytes.subarray(at, at + piece)) });
    }
    return begun.upload;
  }
}

function encoded(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
