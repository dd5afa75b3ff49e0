// The list of sessions: choosing, searching, the archive, and how the connection is.

import { button, h, icon, replace } from "./dom.js";
import { ago, cut, exact } from "./words.js";

const ACTIVITIES = { working: "working", asking: "asks you", waiting: "waiting" };

const LINKS = {
  closed: "not connected",
  connecting: "connecting",
  lost: "connection lost",
  open: "connected",
  ended: "signed out",
};

/** The side of the page. */
export class Sidebar {
  constructor(household) {
    this.household = household;
    this.shown = null;
    this.list = h("ul", { class: "sessions" });
    this.search = h("input", { type: "search", placeholder: "Search", "aria-label": "Search sessions", oninput: () => this.searched() });
    this.archive = button("Archive", () => this.turn(), { class: "quiet-button", "aria-pressed": "false" });
    this.link = h("p", { class: "link-state", role: "status" });
    this.again = button("Try now", () => household.connection.now(), { class: "quiet-button" });
    this.element = h(
      "nav",
      { class: "sidebar", id: "sidebar", "aria-label": "Sessions" },
      h("div", { class: "brand" }, h("a", { href: "#/", class: "brand-name" }, "Hydroid"), this.archive),
      h("a", { href: "#/", class: "new-chat" }, icon("plus"), "New chat"),
      h("div", { class: "search" }, icon("search"), this.search),
      this.list,
      h("div", { class: "side-foot" }, h("a", { href: "#/settings", class: "settings-link" }, icon("gear"), "Settings"), h("div", { class: "link-line" }, this.link, this.again)),
    );
    household.on("sessions", () => this.soon());
    household.on("link", (state) => this.linked(state));
    setInterval(() => this.soon(), 60_000);
    this.linked("closed");
  }

  linked(state) {
    this.link.textContent = LINKS[state] ?? state;
    this.link.dataset.state = state;
    this.again.hidden = state !== "lost";
  }

  /** Marks the session that is looked at. */
  mark(session) {
    this.shown = session;
    this.soon();
  }

  soon() {
    if (this.due || this.found) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      if (!this.found) this.draw();
    });
  }

  draw() {
    const focused = this.list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const sessions = this.household.listed();
    replace(
      this.list,
      sessions.map((info) => this.row(info)),
      sessions.length === 0 && h("li", { class: "quiet pad" }, this.household.archived ? "The archive is empty." : "No sessions yet."),
    );
    if (focused) this.list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
  }

  row(info) {
    const activity = ACTIVITIES[info.activity];
    return h(
      "li",
      {},
      h(
        "a",
        { href: `#/s/${info.session}`, "aria-current": info.session === this.shown ? "page" : null, class: "session" },
        h("span", { class: "session-title" }, exact(cut(info.title || "Untitled", 80))),
        h("span", { class: `session-state ${info.activity}` }, activity ?? ago(info.updated_ms)),
      ),
    );
  }

  async turn() {
    this.household.archived = !this.household.archived;
    this.archive.setAttribute("aria-pressed", String(this.household.archived));
    this.soon();
    await this.household.list().catch(() => {});
  }

  searched() {
    clearTimeout(this.later);
    const text = this.search.value.trim();
    if (text === "") {
      this.found = false;
      this.draw();
      return;
    }
    this.later = setTimeout(() => this.find(text), 250);
  }

  async find(text) {
    this.found = true;
    const titled = this.household.listed().filter((info) => info.title.toLowerCase().includes(text.toLowerCase()));
    let found = [];
    let problem = "";
    try {
      found = (await this.household.request("search", { text, limit: 30 })).found;
    } catch (error) {
      problem = error.message;
    }
    if (this.search.value.trim() !== text) return;
    replace(
      this.list,
      titled.slice(0, 5).map((info) => this.row(info)),
      found.map((hit) =>
        h(
          "li",
          {},
          h("a", { href: `#/s/${hit.session}`, class: "session found" }, h("span", { class: "session-title" }, exact(cut(hit.title || "Untitled", 60))), h("span", { class: "excerpt" }, exact(cut(hit.excerpt.replace(/\s+/g, " "), 140)))),
        ),
      ),
      problem && h("li", { class: "problem pad" }, problem),
      !problem && titled.length + found.length === 0 && h("li", { class: "quiet pad", role: "status" }, "Nothing was found."),
    );
  }
}
