// What a session tells: `entry` in order and each once, and what is transient between.

/**
 * Entries that wait for whoever reads a stream. Beyond, the host is asked again for what was left
 * out, so that a slow reader costs no memory and loses nothing.
 */
const WAITING = 4096;

/** An async iterator over a session's messages. */
export class Stream {
  followed = false;
  #client;
  #behind = false;
  #waiting = [];
  #end = null;
  #wake = null;

  constructor(client, session, after) {
    this.#client = client;
    this.session = session;
    this.last = after;
  }

  /** Begins, or goes on, after the last entry. */
  async follow() {
    this.#behind = false;
    this.followed = true;
    this.#client.join(this);
    try {
      await this.#client.request("open", { session: this.session, after: this.#client.followedAfter(this.session) });
    } catch (error) {
      this.followed = false;
      throw error;
    }
    return this;
  }

  /** Takes what the host tells. */
  take(message) {
    if (message.type === "entry") {
      if (this.#behind || message.seq <= this.last) return;
      if (this.#waiting.length >= WAITING) return this.#isBehind();
      this.last = message.seq;
    } else if (message.type === "stopped") {
      if (message.reason === "deleted") this.end(new Error(`session ${this.session} was deleted`));
      else if (message.reason !== "shutting_down") this.#isBehind();
      return;
    } else if (!["progress", "state"].includes(message.type) || this.#waiting.length >= WAITING) {
      return;
    }
    this.#waiting.push(message);
    this.#wakeUp();
  }

  #isBehind() {
    this.#behind = true;
    this.followed = false;
    this.#wakeUp();
  }

  #wakeUp() {
    this.#wake?.();
    this.#wake = null;
  }

  /** Nothing comes any more. */
  end(error) {
    this.#end ??= error;
    this.followed = false;
    this.#wakeUp();
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async next() {
    while (this.#waiting.length === 0) {
      if (this.#end) throw this.#end;
      if (this.#behind || !this.followed) await this.follow();
      else await new Promise((resolve) => (this.#wake = resolve));
    }
    return { done: false, value: this.#waiting.shift() };
  }

  /** Follows the session no more; what runs in it goes on. */
  async return() {
    const { followed } = this;
    this.followed = false;
    this.#client.leave(this);
    if (followed && this.#client.followedAfter(this.session) === undefined) {
      // If it fails, it is not followed any more either.
      await this.#client.request("close", { session: this.session }).catch(() => {});
    }
    return { done: true, value: undefined };
  }
}
