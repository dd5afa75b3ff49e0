// The chat: one session's conversation with its head and the place to write.

import { announce, append, ask, button, field, h, icon, replace } from "./dom.js";
import { save } from "./call.js";
import { Composer } from "./composer.js";
import { textOf } from "./conversation.js";
import { newKey } from "./household.js";
import { render } from "./markdown.js";
import { TurnView, welcomePage } from "./turn.js";
import { count, exact, money, short } from "./words.js";

const MODES = [
  ["plan", "mode: plan", "Nothing is changed."],
  ["default", "mode: default", "As the rules say."],
  ["accept-edits", "mode: accept edits", "Changes of files and notes run without asking."],
  ["headless", "mode: headless", "Nobody is asked: what would be asked is denied."],
];

/** Turns drawn at first; earlier ones come when they are asked for. */
const DRAWN = 60;

/** The chat of one session at a time. */
export class Chat {
  constructor(household) {
    this.household = household;
    this.session = null;
    this.views = new Map();
    this.from = 0;
    this.title = h("h1", { class: "chat-title" }, "New chat");
    this.facts = h("p", { class: "chat-facts quiet" });
    this.choices = h("div", { class: "choices" });
    this.log = h("div", { class: "log", tabindex: "-1" });
    this.latest = button("Latest ↓", () => this.scroll(true), { class: "latest" });
    this.latest.hidden = true;
    this.status = h("p", { class: "hidden", role: "status" });
    this.menu = this.makeMenu();
    this.composer = new Composer({
      say: (text, files, into, key, progress) => this.say(text, files, into, key, progress),
      cancel: () => this.cancel(),
      lastSaid: () => this.lastSaid(),
      limits: () => household.limits,
    });
    this.element = h(
      "section",
      { class: "chat", "aria-label": "Chat" },
      h("header", { class: "chat-head" }, h("div", { class: "chat-names" }, this.title, this.facts), this.choices, this.menu),
      this.log,
      this.latest,
      this.composer.element,
      this.status,
    );
    this.log.addEventListener("scroll", () => {
      this.latest.hidden = this.isAtEnd();
    });
    this.dropping();
    household.on("conversation", (session) => session === this.session && this.soon());
    household.on("session", (session) => session === this.session && this.head());
    household.on("link", () => this.head());
    household.on("welcome", () => this.welcomed());
    household.on("gone", (session) => {
      if (session !== this.session) return;
      announce("This session was deleted.");
      location.hash = "#/";
    });
  }

  get conversation() {
    return this.household.conversations.get(this.session);
  }

  get info() {
    return this.household.sessions.get(this.session);
  }

  /** Shows a session, or the place where one begins. */
  async show(session) {
    this.household.shown = session;
    if (session === this.session && session !== null) return;
    this.session = session;
    this.views.clear();
    this.total = null;
    this.composer.of(session ?? "new");
    replace(this.log, session ? h("p", { class: "quiet pad" }, "Opening…") : this.beginning());
    this.head();
    if (!session || this.household.connection.state !== "open") return;
    await this.open(session);
  }

  async open(session) {
    try {
      const id = await this.household.follow(session);
      if (this.session !== session) return;
      if (id !== session) history.replaceState(null, "", `#/s/${id}`);
      this.session = id;
      this.household.shown = id;
      this.drawAll();
      this.costs();
    } catch (error) {
      if (this.session === session) replace(this.log, h("p", { class: "problem pad", role: "alert" }, error.message), h("p", { class: "pad" }, h("a", { href: "#/" }, "Begin a new chat")));
    }
  }

  welcomed() {
    if (this.session && !this.conversation) this.open(this.session);
    else if (!this.session && this.log.childElementCount <= 1) replace(this.log, this.beginning());
    this.head();
  }

  beginning() {
    return welcomePage((text) => this.composer.put(text), this.household.administers && this.household.defaults.provider === "provider-rehearsal");
  }

  // ---- drawing ----

  drawAll() {
    this.views.clear();
    replace(this.log);
    const turns = this.conversation?.turns ?? [];
    this.from = Math.max(0, turns.length - DRAWN);
    if (this.from > 0) this.log.append(this.earlier());
    this.draw(new Set(turns));
    this.scroll(true);
  }

  earlier() {
    const more = button(`Show ${this.from} earlier turns`, () => {
      const height = this.log.scrollHeight;
      this.from = 0;
      this.views.clear();
      replace(this.log);
      this.draw(new Set(this.conversation.turns));
      this.log.scrollTop = this.log.scrollHeight - height;
    });
    more.className = "link pad";
    return more;
  }

  soon() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.drawChanges();
    });
    // A page in the background draws no frames, and must not grow behind.
    if (document.hidden) setTimeout(() => this.due && ((this.due = false), this.drawChanges()), 1000);
  }

  drawChanges() {
    const conversation = this.conversation;
    if (!conversation) return;
    const changed = conversation.changes();
    if (conversation.rewound) {
      conversation.rewound = false;
      this.drawAll();
      return;
    }
    const end = this.isAtEnd();
    const asked = conversation.questions().length;
    if (this.views.size === 0) replace(this.log, this.from > 0 && this.earlier());
    this.draw(changed);
    if (end) this.scroll(true);
    const turn = conversation.newest();
    if (turn && changed.has(turn) && !turn.running) {
      this.status.textContent = "The answer is there.";
      this.costs();
    }
    if (asked > (this.asked ?? 0)) this.status.textContent = "A call waits for your answer.";
    this.asked = asked;
    this.head();
  }

  draw(changed) {
    const deeds = {
      answer: (call, given) => this.household.request("answer", { session: this.session, call_id: call.id, answer: given }),
      fork: (turn) => this.fork(turn),
      rewind: (turn) => this.rewind(turn),
    };
    for (const turn of (this.conversation?.turns ?? []).slice(this.from)) {
      const view = this.views.get(turn);
      if (!view) {
        const made = new TurnView(turn, deeds);
        this.views.set(turn, made);
        this.log.append(made.element);
      } else {
        view.update(changed);
      }
    }
  }

  isAtEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 80;
  }

  scroll() {
    this.log.scrollTop = this.log.scrollHeight;
    this.latest.hidden = true;
  }

  /** The title, what the session has, and what it took. */
  head() {
    const household = this.household;
    const connected = household.connection.state === "open";
    const info = this.info;
    const activity = info?.activity;
    this.title.textContent = info ? exact(info.title || "Untitled") : "New chat";
    document.title = `${activity === "asking" ? "(?) " : ""}${info ? exact(info.title || "Untitled") : "New chat"} · Hydroid`;
    const running = ["working", "asking", "waiting"].includes(activity) || Boolean(this.conversation?.newest()?.running);
    this.composer.shown(running, info?.queued ?? 0, connected);
    const settings = this.session ? household.settingsOf(this.session) : { ...household.defaults, ...this.wanted };
    const facts = [];
    const last = this.conversation?.turns.findLast((turn) => turn.usage);
    if (this.total) facts.push(`${count(this.total.requests)} requests`, this.total.unknown > 0 && Number(this.total.dollars) === 0 ? "cost unknown" : `${money(this.total.dollars)}${this.total.unknown > 0 ? " and more" : ""}`);
    if (last?.usage) {
      const window = household.models?.find((offer) => offer.model === settings.model && offer.provider === settings.provider)?.context_tokens;
      const context = last.usage.input + last.usage.output;
      facts.push(window ? `context ${short(context)} of ${short(window)} (${Math.min(100, Math.round((context * 100) / window))} %)` : `context ${short(context)} tokens`);
    }
    if (activity === "waiting") facts.push("waits: as many turns run as may at once");
    if (info?.forked_from) facts.push("a copy");
    if (info?.archived) facts.push("archived");
    this.facts.textContent = facts.join(" · ");
    this.showChoices(settings, connected);
  }

  showChoices(settings, connected) {
    const now = JSON.stringify([settings, connected]);
    if (now === this.choicesShown) return;
    this.choicesShown = now;
    const mode = h("select", { "aria-label": "How much may happen without asking", disabled: !connected, onchange: () => this.set({ mode: mode.value }) }, MODES.map(([value, text, title]) => h("option", { value, title }, text)));
    mode.value = settings.mode ?? "default";
    mode.title = MODES.find(([value]) => value === mode.value)?.[2] ?? "";
    const model = button(exact(settings.model ?? "model"), () => this.chooseModel(), { class: "model-button", "aria-label": `Model: ${exact(settings.model ?? "")}. Choose another`, disabled: !connected });
    const effort = h(
      "select",
      { "aria-label": "How hard the model thinks", disabled: !connected, onchange: () => this.set({ effort: effort.value }) },
      [["", "effort: usual"], ["minimal", "effort: minimal"], ["low", "effort: low"], ["medium", "effort: medium"], ["high", "effort: high"], ["max", "effort: max"]].map(([value, text]) => h("option", { value }, text)),
    );
    if (settings.effort && ![...effort.options].some((option) => option.value === settings.effort)) append(effort, [h("option", { value: settings.effort }, `effort: ${exact(settings.effort)}`)]);
    effort.value = settings.effort ?? "";
    replace(this.choices, model, effort, mode);
  }

  // ---- deeds ----

  async set(change) {
    try {
      if (this.session) {
        await this.household.set(this.session, change);
      } else {
        this.wanted = { ...(this.wanted ?? {}), ...change };
        for (const name of Object.keys(this.wanted)) if (!this.wanted[name]) delete this.wanted[name];
        this.head();
      }
    } catch (error) {
      announce(error.message, "error");
      this.choicesShown = null;
      this.head();
    }
  }

  /** Says something once, however often the connection is lost meanwhile. */
  async say(text, files, into, key, progress) {
    const household = this.household;
    const command = /^\/([a-z]+)(?:\s+([^]*))?$/.exec(text.trimEnd());
    const known = command && files.length === 0 && this.commands().find(([name]) => name === command[1]);
    if (known) {
      await known[3](command[2] ?? "");
      return;
    }
    let session = this.session;
    if (!session) {
      session = await household.create(key, this.wanted ?? {});
      this.session = session;
      household.shown = session;
      this.views.clear();
      replace(this.log);
      history.replaceState(null, "", `#/s/${session}`);
      this.composer.key = session;
      try {
        sessionStorage.removeItem("draft/new");
      } catch {
        // Nothing was kept.
      }
      window.dispatchEvent(new Event("moved"));
    }
    if (into === "steer") {
      try {
        await household.persistently(() => household.request("steer", { session, text, key }));
        return;
      } catch (error) {
        // The turn ended while this was on its way: then it begins the next one.
        if (error.code !== "nothing_runs") throw error;
      }
    }
    let attachments;
    let again = false;
    await household.persistently(async () => {
      attachments ??= await this.handUp(files, progress);
      const said = () => household.request("say", attachments.length > 0 ? { session, text, key, attachments } : { session, text, key });
      try {
        await said();
      } catch (error) {
        // A host that was started anew has the files no more.
        if (error.code !== "not_found" || attachments.length === 0 || again) throw error;
        again = true;
        attachments = undefined;
        attachments = await this.handUp(files, progress);
        await said();
      }
    });
    this.scroll();
  }

  async handUp(files, progress) {
    const attachments = [];
    for (const [at, file] of files.entries()) {
      attachments.push(await this.household.upload(file, (part) => progress((at + part) / files.length)));
    }
    return attachments;
  }

  cancel() {
    if (this.session) this.household.request("cancel", { session: this.session }).catch((error) => announce(error.message, "error"));
  }

  lastSaid() {
    const turn = this.conversation?.newest();
    return turn ? textOf(turn.parts) : "";
  }

  async costs() {
    const session = this.session;
    try {
      const reply = await this.household.request("cost", { session });
      if (session !== this.session) return;
      this.total = reply.total;
      if (!this.household.models) await this.household.offers();
      this.head();
    } catch {
      // It is shown when it is known.
    }
  }

  async chooseModel() {
    let offers;
    try {
      offers = await this.household.offers();
    } catch (error) {
      announce(error.message, "error");
      return;
    }
    const settings = this.session ? this.household.settingsOf(this.session) : { ...this.household.defaults, ...this.wanted };
    const list = h("datalist", { id: "models" }, offers.map((offer) => h("option", { value: offer.model }, exact(offer.provider))));
    const model = h("input", { name: "model", value: settings.model ?? "", list: "models", autocomplete: "off", spellcheck: "false" });
    const providers = [...new Set([settings.provider, ...offers.map((offer) => offer.provider)])].filter(Boolean);
    const provider = h("select", { name: "provider" }, providers.map((name) => h("option", { value: name }, exact(name))));
    provider.value = settings.provider ?? "";
    model.addEventListener("input", () => {
      const offer = offers.find((one) => one.model === model.value);
      if (offer) provider.value = offer.provider;
    });
    const known = h(
      "div",
      { class: "offers" },
      offers.slice(0, 60).map((offer) =>
        button(`${exact(offer.title ?? offer.model)}${offer.context_tokens ? ` · ${short(offer.context_tokens)}` : ""}${offer.default ? " · default" : ""}`, () => {
          model.value = offer.model;
          provider.value = offer.provider;
        }),
      ),
    );
    const values = await ask("Model of this session", [known, list, field("Model", model), field("Provider", provider, "From the next turn on.")], "Use it");
    if (!values) return;
    const own = values.model === this.household.defaults.model && values.provider === this.household.defaults.provider;
    await this.set(own ? { model: "", provider: "" } : { model: values.model, provider: values.provider });
  }

  async fork(turn) {
    try {
      const fields = { session: this.session, before: turn?.id, key: newKey() };
      const reply = await this.household.persistently(() => this.household.request("fork", fields));
      this.household.know(reply.session);
      location.hash = `#/s/${reply.session.session}`;
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async rewind(turn) {
    const sure = await ask("Rewind", h("p", {}, "The conversation forgets this turn and all that follows. What was done by tools is not undone."), "Forget them", "danger");
    if (!sure) return;
    try {
      const text = textOf(turn.parts);
      await this.household.request("rewind", { session: this.session, before: turn.id });
      if (this.composer.text.value === "") this.composer.put(text);
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async compact() {
    if (!this.session) {
      announce("There is nothing to sum up yet.");
      return;
    }
    announce("The conversation is being summed up.");
    try {
      const { turns } = await this.household.request("compact", { session: this.session });
      announce(turns === 0 ? "There is nothing to sum up: the last turn is always kept." : `The first ${turns === 1 ? "turn is" : `${turns} turns are`} summed up.`);
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async aside(text) {
    if (!text.trim()) throw new Error("Write `/btw QUESTION`.");
    if (!this.session) throw new Error("A side question needs a conversation to stand beside.");
    const answer = h("div", { class: "prose", "aria-live": "polite" });
    const close = button("Close", () => box.remove());
    const box = h("aside", { class: "aside", "aria-label": "Side question" }, h("p", {}, h("strong", {}, "Beside the conversation: "), exact(text)), answer, close);
    this.log.append(box);
    this.scroll();
    let whole = "";
    const reply = await this.household.request("aside", { session: this.session, text }, (piece) => {
      whole += piece;
      answer.replaceChildren(render(whole));
      this.scroll();
    });
    answer.replaceChildren(render(reply.text));
  }

  /** What a line that begins so does: its name, what may follow, what it is for, and the deed. */
  commands() {
    const go = (place) => () => {
      location.hash = place;
    };
    const here = (deed) => (rest) => (this.session ? deed(rest) : announce("There is no session yet."));
    return [
      ["help", "", "these commands", () => this.help()],
      ["new", "", "begin a session", go("#/new")],
      ["btw", "QUESTION", "ask beside the conversation", (text) => this.aside(text)],
      ["cancel", "", "stop the running turn", here(() => this.cancel())],
      ["cancelall", "", "stop all your turns", () => this.household.request("cancel_all")],
      ["compact", "", "sum up the older part now", () => this.compact()],
      ["skills", "", "load skills, or unload them", () => this.skills()],
      ["skill", "NAME|off NAME", "load a skill in this session, or unload it", here((rest) => this.skill(rest))],
      ["rename", "TITLE", "give the session another title", here((title) => this.rename(title))],
      ["fork", "", "copy the session and go on in the copy", here(() => this.fork())],
      ["archive", "", "put the session away, or take it out", here(() => this.archive())],
      ["export", "", "save the session as Markdown", here(() => this.exported("markdown", "md"))],
      ["delete", "", "remove the session for good", here(() => this.remove())],
      ["model", "", "choose the model of the session", () => this.chooseModel()],
      ["policy", "", "the rules in force", here(() => this.rules())],
      ["tools", "", "tools on offer", () => this.tools()],
      ["status", "", "how the host is", go("#/settings/status")],
      ["cost", "", "what models have cost", go("#/settings/costs")],
      ["memory", "", "notes that are kept", go("#/settings/memory")],
      ["components", "", "what is installed", go("#/settings/components")],
    ];
  }

  async help() {
    const rows = this.commands().map(([name, rest, what]) => h("li", {}, h("code", { text: `/${name}${rest && ` ${rest}`}` }), ` ${what}`));
    await ask("Commands", [h("p", {}, "A line with a space before the stroke is said to the model."), h("ul", { class: "rows" }, rows)], "Close");
  }

  makeMenu() {
    const items = [
      ["Rename…", () => this.rename()],
      ["Side question…", () => this.askAside()],
      ["Sum up", () => this.compact()],
      ["Fork", () => this.fork()],
      ["Archive", () => this.archive()],
      ["Export as Markdown", () => this.exported("markdown", "md")],
      ["Export as JSON lines", () => this.exported("jsonl", "jsonl")],
      ["Export for replay", () => this.exported("replay", "replay.json")],
      ["Rules in force…", () => this.rules()],
      ["Skills…", () => this.skills()],
      ["Tools…", () => this.tools()],
      ["Stop all turns", () => this.household.request("cancel_all").catch((error) => announce(error.message, "error"))],
      ["Delete…", () => this.remove()],
    ];
    const list = h("div", { class: "menu-list" });
    const summary = h("summary", { "aria-label": "What can be done with this session" }, icon("more"));
    const menu = h("details", { class: "menu" }, summary, list);
    const alone = new Set(["Skills…", "Tools…", "Stop all turns"]);
    append(list, items.map(([text, deed]) => button(text, () => {
      menu.open = false;
      if (!this.session && !alone.has(text)) announce("There is no session yet.");
      else deed();
    })));
    menu.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        menu.open = false;
        summary.focus();
      }
    });
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    return menu;
  }

  async rename(wanted) {
    const title = h("input", { name: "title", value: this.info?.title ?? "", maxlength: "200", required: true });
    const values = wanted ? { title: wanted } : await ask("Rename", field("Title", title), "Rename");
    if (!values) return;
    try {
      this.household.know((await this.household.request("rename", { session: this.session, title: values.title })).session);
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async archive() {
    const away = !this.info?.archived;
    try {
      this.household.know((await this.household.request("archive", { session: this.session, archived: away })).session);
      announce(away ? "It is in the archive." : "It is out of the archive.");
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async exported(format, ending) {
    try {
      const reply = await this.household.request("export", { session: this.session, format });
      save(reply.text, `${(this.info?.title || "session").slice(0, 60)}.${ending}`);
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async remove() {
    const sure = await ask("Delete this session", h("p", {}, "It is removed for good: the conversation is not there any more afterwards."), "Delete", "danger");
    if (!sure) return;
    try {
      await this.household.request("delete", { session: this.session });
      location.hash = "#/";
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async askAside() {
    const text = h("input", { name: "text", required: true, autocomplete: "off" });
    const values = await ask("Side question", field("Question", text, "It leaves no trace in the conversation and calls no tool."), "Ask");
    if (values) await this.aside(values.text).catch((error) => announce(error.message, "error"));
  }

  async rules() {
    try {
      const reply = await this.household.request("policy", { session: this.session });
      const rows = reply.rules.map((rule) =>
        h("li", {}, h("code", { text: exact(rule.rule) }), h("span", { class: "quiet" }, ` from ${exact(rule.from)} `), rule.approval && button("Take back", (event) => this.revoke(rule.approval, event.target))),
      );
      await ask("Rules in force", [h("p", {}, `Mode: ${exact(reply.mode)}`), rows.length > 0 ? h("ul", { class: "rows" }, rows) : h("p", {}, "There are none.")], "Close");
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async revoke(approval, on) {
    try {
      await this.household.request("revoke", { approval });
      on.replaceWith("taken back");
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async tools() {
    try {
      const reply = await this.household.request("tools");
      await ask("Tools", h("ul", { class: "rows" }, reply.tools.map((tool) => h("li", {}, h("code", { text: exact(tool.name) }), ` ${exact(tool.description)} `, h("span", { class: "quiet" }, `${exact(tool.component)}, ${exact(tool.impact.replaceAll("_", " "))}`)))), "Close");
    } catch (error) {
      announce(error.message, "error");
    }
  }

  async skills() {
    try {
      const { skills } = await this.household.request("skills", this.session ? { session: this.session } : {});
      const row = (skill) => {
        const item = h("li");
        const fill = (loaded) => {
          const word = loaded ? "Unload" : "Load";
          const change = button(word, async () => {
            change.disabled = true;
            const done = await this.changeSkill(skill.name, !loaded);
            fill(done ? !loaded : loaded);
            item.querySelector("button")?.focus();
          }, { "aria-label": `${word} ${skill.name}` });
          replace(item, h("code", { text: exact(skill.name) }), " ", loaded ? h("span", { class: "badge" }, "loaded") : skill.always && h("span", { class: "badge" }, "always"), ` ${exact(skill.problem && !loaded ? `cannot be loaded: ${skill.problem}` : skill.description)} `, this.session && (loaded || !skill.problem) && change);
        };
        fill(skill.loaded);
        return item;
      };
      const note = this.session ? "From its next turn on the model reads what is loaded here." : "Skills are loaded in a session; say something first.";
      const list = skills.length > 0 ? [h("p", {}, note), h("ul", { class: "rows" }, skills.map(row))] : h("p", {}, "There are none. ", h("code", { text: "hydroid skill" }), " on the host's machine keeps some.");
      await ask("Skills", list, "Close");
    } catch (error) {
      announce(error.message, "error");
    }
  }

  skill(rest) {
    const words = rest.trim().split(/\s+/);
    if (words[0] === "" || words.length > 2 || (words.length === 2) !== (words[0] === "off")) throw new Error("Write `/skill NAME` or `/skill off NAME`.");
    return this.changeSkill(words.at(-1), words.length === 1);
  }

  /** Has the session load a skill, or unload it; says whether it did. */
  async changeSkill(skill, load) {
    try {
      const reply = await this.household.request(load ? "load_skill" : "unload_skill", { session: this.session, skill });
      for (const notice of reply.notices ?? []) announce(notice);
      return true;
    } catch (error) {
      announce(error.message, "error");
      return false;
    }
  }

  dropping() {
    const over = (event) => {
      if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
      event.preventDefault();
      this.element.classList.add("dropping");
    };
    this.element.addEventListener("dragenter", over);
    this.element.addEventListener("dragover", over);
    this.element.addEventListener("dragleave", (event) => {
      if (!this.element.contains(event.relatedTarget)) this.element.classList.remove("dropping");
    });
    this.element.addEventListener("drop", (event) => {
      this.element.classList.remove("dropping");
      const files = [...(event.dataTransfer?.files ?? [])];
      if (files.length === 0) return;
      event.preventDefault();
      this.composer.attach(files);
    });
  }
}
