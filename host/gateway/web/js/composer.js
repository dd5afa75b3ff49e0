// Where the person writes: text, files, and where it goes while a turn runs.

import { Lost } from "./connection.js";
import { announce, button, h, icon, replace } from "./dom.js";
import { newKey } from "./household.js";
import { bytes, exact } from "./words.js";

/** The field with its files. `deeds.say(text, files, into, key)` hands over; it resolves once it is said. */
export class Composer {
  constructor(deeds) {
    this.deeds = deeds;
    this.files = [];
    this.running = false;
    this.key = "";
    this.text = h("textarea", {
      id: "message",
      rows: "1",
      "aria-label": "Message",
      placeholder: "Say something",
      onkeydown: (event) => this.keyed(event),
      oninput: () => this.typed(),
      onpaste: (event) => this.pasted(event),
    });
    this.input = h("input", { type: "file", multiple: true, class: "hidden", tabindex: "-1", "aria-hidden": "true", onchange: () => this.chosen() });
    this.chips = h("ul", { class: "chips", "aria-label": "Files" });
    this.send = h("button", { type: "submit", class: "primary round", "aria-label": "Send" }, icon("send"));
    this.stop = button("", () => deeds.cancel(), { class: "round danger", "aria-label": "Stop the turn", title: "Stop (Escape)" });
    this.stop.append(icon("stop"));
    this.into = h(
      "select",
      { "aria-label": "Where it goes", class: "into" },
      h("option", { value: "steer" }, "into this turn"),
      h("option", { value: "queue" }, "after this turn"),
    );
    const attach = button("", () => this.input.click(), { class: "round plain-button", "aria-label": "Attach files" });
    attach.append(icon("clip"));
    this.waiting = h("span", { class: "quiet", role: "status" });
    this.element = h(
      "form",
      { class: "composer", onsubmit: (event) => this.submitted(event) },
      this.chips,
      h("div", { class: "composer-row" }, attach, this.input, this.text, this.stop, this.send),
      h("div", { class: "composer-line" }, this.into, this.waiting),
    );
    this.shown(false, 0, false);
  }

  /** Which session it is for; what was begun to be written is kept for each. */
  of(key) {
    this.keep();
    this.key = key;
    try {
      this.text.value = sessionStorage.getItem(`draft/${key}`) ?? "";
    } catch {
      this.text.value = "";
    }
    this.files = [];
    this.showFiles();
    this.grow();
  }

  keep() {
    try {
      if (this.text.value) sessionStorage.setItem(`draft/${this.key}`, this.text.value);
      else sessionStorage.removeItem(`draft/${this.key}`);
    } catch {
      // A browser that keeps nothing keeps no drafts.
    }
  }

  /** What runs, what waits, and whether anybody is there. */
  shown(running, queued, connected) {
    this.running = running;
    this.stop.hidden = !running;
    this.into.hidden = !running;
    this.send.disabled = !connected || this.busy === true;
    if (this.busy && !connected) {
      this.waiting.textContent = "It is said once there is a connection.";
      return;
    }
    this.waiting.textContent = queued > 0 ? `${queued} ${queued === 1 ? "message waits" : "messages wait"}` : "";
  }

  /**
   * The key of what is written. It is kept with the draft, so that a page that was closed while it
   * said something does not say it twice.
   */
  keyOf(text) {
    const place = `saying/${this.key}`;
    try {
      const kept = JSON.parse(sessionStorage.getItem(place) ?? "null");
      if (kept?.text === text) return kept.key;
      const key = newKey();
      sessionStorage.setItem(place, JSON.stringify({ text, key }));
      return key;
    } catch {
      return newKey();
    }
  }

  /** What has the key was said, or refused. */
  forgetKey(place) {
    try {
      sessionStorage.removeItem(place);
    } catch {
      // Nothing was kept.
    }
  }

  put(text) {
    this.text.value = text;
    this.typed();
    this.text.focus();
  }

  typed() {
    this.grow();
    this.keep();
  }

  grow() {
    this.text.style.height = "auto";
    this.text.style.height = `${Math.min(this.text.scrollHeight, window.innerHeight * 0.4)}px`;
  }

  keyed(event) {
    if (event.isComposing) return;
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      this.element.requestSubmit();
    } else if (event.key === "Escape" && this.running) {
      event.preventDefault();
      this.deeds.cancel();
    } else if (event.key === "ArrowUp" && this.text.value === "") {
      const last = this.deeds.lastSaid();
      if (last) {
        event.preventDefault();
        this.put(last);
      }
    }
  }

  pasted(event) {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    this.attach(files);
  }

  chosen() {
    this.attach([...this.input.files]);
    this.input.value = "";
  }

  /** Takes files as far as they may be attached. */
  attach(files) {
    const limits = this.deeds.limits();
    for (const file of files) {
      if (this.files.length >= limits.attachments) {
        announce(`A message has up to ${limits.attachments} files.`, "error");
        break;
      }
      if (file.size > limits.attachment_bytes) {
        announce(`${exact(file.name)} has ${bytes(file.size)}; a file has up to ${bytes(limits.attachment_bytes)}.`, "error");
      } else if (file.size === 0) {
        announce(`${exact(file.name)} is empty.`, "error");
      } else {
        this.files.push(file);
      }
    }
    this.showFiles();
    this.text.focus();
  }

  showFiles() {
    this.chips.hidden = this.files.length === 0;
    replace(
      this.chips,
      this.files.map((file) => {
        const remove = () => {
          this.files = this.files.filter((one) => one !== file);
          this.showFiles();
        };
        return h("li", {}, `${exact(file.name)} `, h("span", { class: "quiet" }, bytes(file.size)), button("×", remove, { "aria-label": `Remove ${exact(file.name)}` }));
      }),
    );
  }

  async submitted(event) {
    event.preventDefault();
    const text = this.text.value;
    const files = this.files;
    if (this.busy || this.send.disabled || (text.trim() === "" && files.length === 0)) return;
    this.busy = true;
    this.send.disabled = true;
    const [key, place] = [this.keyOf(text), `saying/${this.key}`];
    try {
      const into = this.running && files.length === 0 ? this.into.value : "queue";
      await this.deeds.say(text, files, into, key, (part) => {
        this.waiting.textContent = `${Math.round(part * 100)} % of the files`;
      });
      this.forgetKey(place);
      if (this.text.value === text) this.text.value = "";
      this.files = [];
      this.showFiles();
      this.typed();
    } catch (error) {
      if (!(error instanceof Lost)) this.forgetKey(place);
      announce(error.message, "error");
    } finally {
      this.busy = false;
      this.send.disabled = false;
      this.waiting.textContent = "";
      this.text.focus();
    }
  }
}
