// What the page knows of its person's sessions, kept up to date by what the host tells.
// It shows nothing: whoever shows listens.

import { announce } from "./dom.js";
import { Connection } from "./connection.js";
import { Conversation } from "./conversation.js";

/** Sessions that are followed at once; the one looked at longest ago is let go first. */
const FOLLOWED = 8;

/**
 * Everything of the person that is known here. Tells `link`, `welcome`, `sessions`, `session`,
 * `conversation`, `gone` and `ended`.
 */
export class Household extends EventTarget {
  constructor(address) {
    super();
    this.sessions = new Map();
    this.conversations = new Map();
    this.models = null;
    /** The session that is looked at. */
    this.shown = null;
    this.archived = false;
    this.connection = new Connection(address, () =>
      [...this.conversations.values()].map((conversation) => ({ session: conversation.session, after: conversation.last })),
    );
    this.listen();
  }

  get welcome() {
    return this.connection.welcome;
  }

  get limits() {
    return this.welcome?.limits ?? { attachments: 4, attachment_bytes: 10 << 20, message_bytes: 1 << 20, queued: 8 };
  }

  /** What sessions have that have nothing of their own. */
  get defaults() {
    return this.welcome?.settings ?? {};
  }

  /** True if this client may run the household. */
  get administers() {
    return this.welcome?.scopes?.includes("admin") ?? false;
  }

  request(type, fields, piece) {
    return this.connection.request(type, fields, piece);
  }

  listen() {
    const connection = this.connection;
    connection.on("link", (state) => this.tell("link", state));
    connection.on("ended", (why) => this.tell("ended", why));
    connection.on("welcome", (welcome) => {
      for (const gone of welcome.gone ?? []) this.forget(gone);
      this.models = null;
      this.tell("welcome", welcome);
      this.list().catch(() => {});
    });
    connection.on("entry", (message) => {
      const conversation = this.conversations.get(message.session);
      if (conversation?.take(message.seq, message.at_ms, message.entry)) this.tell("conversation", message.session);
    });
    connection.on("progress", (message) => {
      const conversation = this.conversations.get(message.session);
      conversation?.progress(message.call_id, message.fraction, message.note);
      if (conversation) this.tell("conversation", message.session);
    });
    connection.on("state", (message) => {
      const info = this.sessions.get(message.session);
      if (info) this.know({ ...info, activity: message.activity, queued: message.queued });
    });
    connection.on("session_changed", (message) => this.know(message.session));
    connection.on("session_deleted", (message) => this.forget(message.session));
    connection.on("stopped", (message) => {
      if (message.reason === "deleted") this.forget(message.session);
      else if (message.reason !== "shutting_down") this.follow(message.session).catch(() => {});
    });
    connection.on("notification", ({ notification }) => {
      // What is looked at tells of itself.
      if (!notification.session || notification.session !== this.shown || document.hidden) announce(notification.text);
      this.request("seen", { notifications: [notification.notification] }).catch(() => {});
    });
    connection.on("error", (message) => announce(message.message, "error"));
    connection.on("goodbye", (message) => announce(message.message));
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  on(type, listener) {
    this.addEventListener(type, (event) => listener(event.detail));
  }

  /** Keeps what a session is now. */
  know(info) {
    this.sessions.set(info.session, info);
    this.tell("sessions");
    this.tell("session", info.session);
  }

  /** A session that is no more. */
  forget(session) {
    this.sessions.delete(session);
    this.conversations.delete(session);
    this.tell("sessions");
    this.tell("gone", session);
  }

  /** Asks for the list. */
  async list() {
    const reply = await this.request("sessions", { archived: this.archived, limit: 200 });
    // What is followed stays known, wherever it is listed.
    const kept = [...this.conversations.keys()].map((id) => this.sessions.get(id)).filter(Boolean);
    this.sessions = new Map([...kept, ...reply.sessions].map((info) => [info.session, info]));
    this.tell("sessions");
  }

  /** Sessions of the list, the newest first. */
  listed() {
    return [...this.sessions.values()].filter((info) => info.archived === this.archived).sort((a, b) => b.updated_ms - a.updated_ms);
  }

  /** Does what has a key, again if the connection was lost meanwhile. */
  persistently(deed) {
    return this.connection.persistently(deed);
  }

  /** Begins a session and follows it, one for each key. */
  async create(key, settings = {}, title) {
    const fields = title ? { settings, title, key } : { settings, key };
    const reply = await this.persistently(() => this.request("create", fields));
    const id = reply.session.session;
    if (!this.conversations.has(id)) this.conversations.set(id, new Conversation(id));
    this.know(reply.session);
    return id;
  }

  /** Follows a session from what is known of it; resolves with its whole identifier. */
  async follow(session) {
    const known = this.conversations.get(session);
    if (!known) this.conversations.set(session, new Conversation(session));
    try {
      const reply = await this.request("open", { session, after: known?.last ?? 0 });
      const id = reply.session.session;
      if (id !== session) {
        this.conversations.delete(session);
        return this.follow(id);
      }
      this.know(reply.session);
      this.letGo(id);
      return id;
    } catch (error) {
      if (!known) this.conversations.delete(session);
      throw error;
    }
  }

  /** Of too many that are followed, those that do nothing are let go. */
  letGo(shown) {
    const conversation = this.conversations.get(shown);
    this.conversations.delete(shown);
    this.conversations.set(shown, conversation);
    for (const id of this.conversations.keys()) {
      if (this.conversations.size <= FOLLOWED) return;
      const activity = this.sessions.get(id)?.activity;
      if (id === shown || activity === "working" || activity === "asking") continue;
      this.conversations.delete(id);
      this.request("close", { session: id }).catch(() => {});
    }
  }

  /** Models that can be chosen, asked once a connection. */
  async offers() {
    if (!this.models) this.models = (await this.request("models")).models;
    return this.models;
  }

  /** What a session has, its own before the configuration's. */
  settingsOf(session) {
    const own = this.sessions.get(session)?.settings ?? {};
    return { ...this.defaults, ...own };
  }

  /** Changes what a session has of its own. */
  async set(session, change) {
    const own = { ...(this.sessions.get(session)?.settings ?? {}), ...change };
    for (const name of Object.keys(own)) if (!own[name]) delete own[name];
    const reply = await this.request("settings", { session, settings: own });
    this.know(reply.session);
  }

  /** Asks again after the pause that the host wants. */
  async patiently(type, fields) {
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.request(type, fields);
      } catch (error) {
        if (error.code !== "rate_limited" || tries >= 20) throw error;
        await new Promise((resolve) => setTimeout(resolve, error.retryAfter ?? 1000));
      }
    }
  }

  /** Hands a file up and resolves with its identifier. */
  async upload(file, progress) {
    const begun = await this.request("upload_begin", { name: file.name || "file", media_type: file.type || "application/octet-stream", bytes: file.size });
    // In base64 a piece is a third larger, and the message has a little more around it.
    const piece = Math.max(3072, Math.floor((this.limits.message_bytes * 0.7) / 3) * 3 - 3072);
    for (let at = 0; at < file.size; at += piece) {
      const data = await encoded(file.slice(at, at + piece));
      await this.patiently("upload_part", { upload: begun.upload, data });
      progress?.(Math.min(1, (at + piece) / file.size));
    }
    return begun.upload;
  }
}

/** A key for something that is to be done once, which nobody else has. */
export function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `page-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Bytes in base64. */
export function encoded(blob) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).split(",", 2)[1] ?? "");
    reader.onerror = () => reject(new Error("The file cannot be read."));
    reader.readAsDataURL(blob);
  });
}
