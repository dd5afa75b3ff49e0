// The household as a program sees it: its sessions, and what else belongs to the person.
// Types stand in `hydroid.d.ts`. It works in Node.js from 20 on and in browsers.

import { Connection, ConnectionLost, Refused } from "./connection.js";
import { Session, newKey } from "./session.js";

export { ConnectionLost, Refused, Session };

/** A connection to a host, which comes back by itself after it was cut off. */
export class Hydroid {
  /** @type {Map<string, Set<import("./stream.js").Stream>>} */
  #streams = new Map();
  #connection;
  #listeners = new Map();

  /** @param {import("./hydroid.d.ts").Options} options */
  constructor({ url, token, name = "typescript", version = "0.1.0", WebSocket } = {}) {
    const address = url ?? globalThis.process?.env?.HYDROID_URL ?? globalThis.location?.origin;
    if (!address) throw new Error("say where the host is: `new Hydroid({ url, token })`, or set HYDROID_URL");
    this.#connection = new Connection({
      url: address,
      token: token ?? globalThis.process?.env?.HYDROID_TOKEN,
      program: { name, version },
      WebSocket,
      resume: () => this.#resume(),
      told: (message) => this.#told(message),
      gone: (session) => this.#end(session, new Error(`session ${session} is gone`)),
      over: (error) => [...this.#streams.keys()].forEach((session) => this.#end(session, error)),
    });
  }

  /** Connects; a host that is not there or refuses is an error here. */
  async connect() {
    await this.#connection.start();
    return this;
  }

  /** Ends the connection; what runs at the host goes on. */
  close() {
    this.#connection.stop();
  }

  get welcome() {
    if (!this.#connection.welcome) throw new Error("it is not connected; `await hydroid.connect()` first");
    return this.#connection.welcome;
  }

  /** Any request of the protocol; those below are the usual ones. */
  request(type, fields = {}, piece) {
    return this.#connection.request(type, fields, piece);
  }

  /** Calls back with each message of this type that no request asked for. */
  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  // ---- sessions ----

  async create({ title, settings, key = newKey() } = {}) {
    return new Session(this, (await this.request("create", { title, settings, key })).session);
  }

  async open(session) {
    const { session: info } = await this.request("open", { session });
    // That followed it from now on; those who follow it already want what is between, too.
    const after = this.followedAfter(info.session);
    if (after === undefined) await this.request("close", { session: info.session });
    else await this.request("open", { session: info.session, after });
    return new Session(this, info);
  }

  async sessions({ archived = false, limit } = {}) {
    return (await this.request("sessions", { archived, limit })).sessions;
  }

  async search(text, { session, limit } = {}) {
    return (await this.request("search", { text, session, limit })).found;
  }

  async cancelAll() {
    await this.request("cancel_all");
  }

  // ---- the household ----

  status() {
    return this.request("status");
  }

  async models() {
    return (await this.request("models")).models;
  }

  async tools() {
    return (await this.request("tools")).tools;
  }

  async components() {
    return (await this.request("components")).components;
  }

  cost(session) {
    return this.request("cost", { session });
  }

  async notes(text = "") {
    return (await this.request("notes", { text })).notes;
  }

  async seen(notifications) {
    await this.request("seen", { notifications });
  }

  // ---- what comes, for streams ----

  join(stream) {
    const streams = this.#streams.get(stream.session) ?? new Set();
    this.#streams.set(stream.session, streams.add(stream));
  }

  leave(stream) {
    const streams = this.#streams.get(stream.session);
    streams?.delete(stream);
    if (streams?.size === 0) this.#streams.delete(stream.session);
  }

  /** The entry after which a session is followed, so that no stream of it misses any. */
  followedAfter(session) {
    const followed = [...(this.#streams.get(session) ?? [])].filter((stream) => stream.followed);
    return followed.length === 0 ? undefined : Math.min(...followed.map((stream) => stream.last));
  }

  #resume() {
    const all = [...this.#streams.keys()].map((session) => ({ session, after: this.followedAfter(session) }));
    return all.filter((one) => one.after !== undefined);
  }

  #end(session, error) {
    for (const stream of [...(this.#streams.get(session) ?? [])]) stream.end(error);
  }

  #told(message) {
    if (typeof message.session === "string") {
      for (const stream of [...(this.#streams.get(message.session) ?? [])]) stream.take(message);
    }
    for (const listener of this.#listeners.get(message.type) ?? []) listener(message);
  }
}
