// The socket: hello, requests with their replies, and coming back after a cut.
// What may be asked twice without harm is asked again by itself; of anything else the caller is
// told that it may or may not have been done.

const PROTOCOL = 1;

/** Requests that do more when they come twice, unless they have a key of their own. */
const ONCE = new Set(["aside", "answer", "rewind", "upload_begin", "upload_part"]);
const KEYED = new Set(["create", "fork", "say", "steer"]);

/** Codes after which `hello` will not do better by itself. */
const FINAL = new Set(["unauthenticated", "forbidden", "unsupported_protocol", "invalid", "bad_message"]);

/** Milliseconds before the first and the last attempt of coming back. */
const SOONEST = 100;
const LATEST = 5000;

/** Times that a request waits because the host says that it comes too often. */
const PATIENCE = 20;

/** The host refused a request. */
export class Refused extends Error {
  constructor({ code = "other", message = "", retry_after_ms } = {}) {
    super(message);
    this.name = "Refused";
    this.code = code;
    this.retryAfterMs = retry_after_ms;
  }
}

/** The connection was lost, and it is not known whether the request was done. */
export class ConnectionLost extends Error {
  constructor(message) {
    super(message);
    this.name = "ConnectionLost";
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** One connection that comes back. */
export class Connection {
  #ways;
  #url;
  #ids = 1;
  #pending = new Map();
  #socket = null;
  #ready = false;
  #failure = null;
  welcome = null;

  constructor(ways) {
    this.#ways = ways;
    this.#url = socketUrl(ways.url);
  }

  async start() {
    await this.#connect();
  }

  stop() {
    this.#fail(new ConnectionLost("the client was closed"));
    this.#socket?.close();
  }

  async request(type, fields, piece) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#asked(type, fields, piece);
      } catch (error) {
        if (error.code !== "rate_limited" || attempt >= PATIENCE) throw error;
        await pause(error.retryAfterMs ?? 1000);
      }
    }
  }

  #asked(type, fields, piece) {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#ids++;
    const message = { type, ...fields, id };
    const again = KEYED.has(type) ? fields.key !== undefined : !ONCE.has(type);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { message, again, piece, resolve, reject });
      // Otherwise it is sent with the next connection.
      if (this.#ready) this.#socket.send(JSON.stringify(message));
    });
  }

  async #connect() {
    const Socket = this.#ways.WebSocket ?? globalThis.WebSocket ?? (await import("ws")).WebSocket;
    const socket = new Socket(this.#url);
    await new Promise((resolve, reject) => {
      let greeted = false;
      const lost = () => reject(new ConnectionLost(`${this.#url} cannot be reached`));
      socket.onopen = () => {
        const { token, program, resume } = this.#ways;
        const hello = { type: "hello", id: 0, protocol: PROTOCOL, client: program, resume: resume() };
        socket.send(JSON.stringify(token === undefined ? hello : { ...hello, token }));
      };
      socket.onerror = lost;
      socket.onclose = () => {
        lost();
        if (greeted) this.#lost(socket);
      };
      socket.onmessage = ({ data }) => {
        const message = JSON.parse(data);
        if (greeted) {
          this.#took(message);
        } else if (message.type === "reply") {
          greeted = true;
          this.#greeted(socket, message);
          resolve();
        } else {
          socket.close();
          reject(new Refused(message));
        }
      };
    });
  }

  #greeted(socket, welcome) {
    this.welcome = welcome;
    this.#socket = socket;
    if (this.#failure) {
      socket.close();
      return;
    }
    for (const session of welcome.gone ?? []) this.#ways.gone(session);
    this.#ready = true;
    for (const { message } of this.#pending.values()) socket.send(JSON.stringify(message));
  }

  #lost(socket) {
    if (socket !== this.#socket || this.#failure) return;
    this.#ready = false;
    for (const [id, pending] of this.#pending) {
      if (pending.again) continue;
      this.#pending.delete(id);
      pending.reject(new ConnectionLost("the connection was lost; it may or may not have been done"));
    }
    this.#comeBack();
  }

  async #comeBack() {
    for (let wait = SOONEST; !this.#failure; wait = Math.min(wait * 2, LATEST)) {
      await pause(wait * (0.5 + Math.random() / 2));
      try {
        await this.#connect();
        return;
      } catch (error) {
        if (FINAL.has(error.code)) this.#fail(error);
      }
    }
  }

  #took(message) {
    const pending = this.#pending.get(message.id);
    if (message.type === "reply") {
      this.#pending.delete(message.id);
      pending?.resolve(message);
    } else if (message.type === "error" && message.id !== undefined) {
      this.#pending.delete(message.id);
      pending?.reject(new Refused(message));
    } else if (message.type === "aside") {
      pending?.piece?.(message.text);
    } else {
      this.#ways.told(message);
    }
  }

  #fail(error) {
    this.#failure ??= error;
    this.#ready = false;
    for (const pending of this.#pending.values()) pending.reject(error);
    this.#pending.clear();
    this.#ways.over(error);
  }
}

/** The socket of a host whose address is `http://…` or `https://…`. */
export function socketUrl(url) {
  const socket = url.replace(/^http(s?):\/\//, "ws$1://").replace(/\/(api\/v1\/socket)?$/, "");
  if (!/^wss?:\/\//.test(socket)) throw new Error(`\`${url}\` is no address of a host; write \`http://127.0.0.1:7717\``);
  return `${socket}/api/v1/socket`;
}
