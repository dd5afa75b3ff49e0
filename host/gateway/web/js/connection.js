// The socket: requests with their answers, what the host tells, and coming back after it was lost.
// What a message means is for those who listen.

/** The number of the protocol. */
const PROTOCOL = 1;

/** How long to wait before the next try, in milliseconds; the last one from then on. */
const WAITS = [300, 700, 1500, 3000, 6000, 12_000];

/** Without a word for so long the connection is tried. */
const SILENCE = 25_000;

/** Without an answer for so long it is taken as lost. */
const PATIENCE = 10_000;

/** A request that was refused. */
export class Refused extends Error {
  constructor(error) {
    super(error.message);
    this.code = error.code;
    this.retryAfter = error.retry_after_ms;
  }
}

/** There is no connection, or it was lost before the answer came. */
export class Lost extends Error {}

/** The connection with the host. Listens as `link`, `welcome` and by the type of a message. */
export class Connection extends EventTarget {
  constructor(address, resume) {
    super();
    this.address = address;
    /** Says which sessions are followed, and the last number of each. */
    this.resume = resume;
    this.waiting = new Map();
    this.next = 1;
    this.tries = 0;
    this.state = "closed";
    this.welcome = null;
    this.heard = 0;
    this.timer = undefined;
    window.addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.look();
    });
    setInterval(() => this.look(), 5000);
  }

  /** Connects, and stays so. */
  open() {
    clearTimeout(this.timer);
    this.turn(this.tries === 0 ? "connecting" : "lost");
    const socket = new WebSocket(this.address);
    this.socket = socket;
    const began = Date.now();
    this.heard = 0;
    socket.addEventListener("open", () => {
      this.heard = Date.now();
      const hello = { type: "hello", protocol: PROTOCOL, client: { name: "hydroid-page", version: "1" } };
      const resume = this.resume();
      if (resume.length > 0) hello.resume = resume;
      this.post(hello).then(
        (welcome) => {
          this.tries = 0;
          this.welcome = welcome;
          this.turn("open");
          this.tell("welcome", welcome);
        },
        (error) => {
          if (!(error instanceof Refused)) return;
          if (error.code === "unauthenticated" || error.code === "forbidden") this.end("unauthenticated");
          else if (error.code === "unsupported_protocol") this.end("old");
          else socket.close();
        },
      );
    });
    socket.addEventListener("message", (event) => {
      if (socket !== this.socket) return;
      this.heard = Date.now();
      let message;
      try {
        message = JSON.parse(event.data);
      } catch {
        return;
      }
      this.take(message);
    });
    socket.addEventListener("close", () => {
      if (socket !== this.socket) return;
      const spoken = this.heard >= began;
      this.lost();
      if (!spoken) this.known();
    });
  }

  /** A browser does not say why a socket was refused; a plain request is told. */
  async known() {
    const response = await fetch("/api/v1/status", { credentials: "same-origin", cache: "no-store" }).catch(() => null);
    if (response && (response.status === 401 || response.status === 403)) this.end("unauthenticated");
  }

  /** Tries at once instead of when its time comes. */
  now() {
    if (this.state === "lost") this.open();
  }

  take(message) {
    if (message.type === "reply" || (message.type === "error" && message.id !== undefined)) {
      const waiting = this.waiting.get(message.id);
      this.waiting.delete(message.id);
      if (!waiting) return;
      if (message.type === "error") waiting.reject(new Refused(message));
      else waiting.resolve(message);
      return;
    }
    if (message.type === "aside") this.waiting.get(message.id)?.piece?.(message.text);
    this.tell(message.type, message);
  }

  /** Asks, and resolves with the reply. */
  request(type, fields = {}, piece) {
    if (this.state !== "open") return Promise.reject(new Lost("There is no connection at the moment."));
    return this.post({ type, ...fields }, piece);
  }

  /**
   * Does what may be done twice, because it has a key, until the host has answered: what was lost
   * with a connection is done again on the next one.
   */
  async persistently(deed) {
    for (;;) {
      try {
        return await deed();
      } catch (error) {
        if (!(error instanceof Lost) || this.state === "ended") throw error;
        await this.back();
      }
    }
  }

  /** Resolves once there is a connection; rejects if there will be none. */
  back() {
    if (this.state === "open") return Promise.resolve();
    return new Promise((resolve, reject) => {
      const look = () => {
        if (this.state !== "open" && this.state !== "ended") return;
        this.removeEventListener("link", look);
        if (this.state === "open") resolve();
        else reject(new Lost("The host wants this page no more; it was perhaps not said."));
      };
      this.addEventListener("link", look);
    });
  }

  post(message, piece) {
    const id = this.next;
    this.next += 1;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, piece });
      this.socket.send(JSON.stringify({ id, ...message }));
    });
  }

  /** Somebody must be there: after a silence they are asked. */
  look() {
    if (this.state === "lost" && document.visibilityState === "visible" && !this.timer) this.open();
    if (this.state !== "open" || this.asked || Date.now() - this.heard < SILENCE) return;
    this.asked = setTimeout(() => {
      this.asked = undefined;
      this.socket.close();
      this.lost();
    }, PATIENCE);
    const there = () => {
      clearTimeout(this.asked);
      this.asked = undefined;
    };
    this.request("ping").then(there, there);
  }

  lost() {
    if (this.state === "ended") return;
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
    clearTimeout(this.asked);
    this.asked = undefined;
    for (const { reject } of this.waiting.values()) reject(new Lost("The connection was lost before the answer came."));
    this.waiting.clear();
    const wait = WAITS[Math.min(this.tries, WAITS.length - 1)];
    this.tries += 1;
    clearTimeout(this.timer);
    // Not all pages of a host that comes back at once.
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.open();
    }, wait * (0.75 + Math.random() / 2));
    this.turn("lost");
  }

  end(why) {
    this.state = "ended";
    clearTimeout(this.timer);
    this.socket?.close();
    this.tell("link", "ended");
    this.tell("ended", why);
  }

  turn(state) {
    if (this.state === state) return;
    this.state = state;
    this.tell("link", state);
  }

  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Listens. */
  on(type, listener) {
    this.addEventListener(type, (event) => listener(event.detail));
  }
}
