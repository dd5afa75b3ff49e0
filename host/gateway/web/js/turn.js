// A turn on the page: what the person said, what came of it, and how it ended. It keeps its
// elements and changes only what changed.

import { append, button, h, replace } from "./dom.js";
import { callCard, contentOf, link, media } from "./call.js";
import { copied, render } from "./markdown.js";
import { isRecalled, textOf } from "./conversation.js";
import { count, duration, exact, exactLines, money, moment } from "./words.js";

const OUTCOMES = {
  cancelled: "You stopped it.",
  stopped: "Everything was stopped by the emergency stop.",
  interrupted: "The host ended in the middle of it.",
};

/** Milliseconds between two looks at a long text that grows. */
const SLOW = 200;

/** A turn's element, kept up to date by `update`. `deeds` are what can be done with it. */
export class TurnView {
  constructor(turn, deeds) {
    this.turn = turn;
    this.deeds = deeds;
    this.views = new Map();
    this.said = h("div", { class: "said" });
    this.items = h("div", { class: "items" });
    this.foot = h("footer", { class: "turn-foot" });
    this.element = h("article", { class: "turn", "aria-label": "Turn" }, this.said, this.items, this.foot);
    this.parts = null;
    this.update(new Set([turn, ...turn.items]));
  }

  update(changed) {
    const turn = this.turn;
    if (this.parts !== turn.parts) {
      this.parts = turn.parts;
      replace(this.said, this.message(turn.parts, turn.at));
    }
    for (const item of turn.items) {
      const view = this.views.get(item.key);
      if (!view) {
        const made = this.view(item);
        this.views.set(item.key, made);
        this.items.append(made.element);
      } else if (changed.has(item)) {
        view.update?.();
      }
    }
    if (changed.has(turn)) this.end();
  }

  message(parts, at) {
    const text = textOf(parts);
    const others = parts.filter((part) => part.type !== "text");
    const recalled = parts.filter(isRecalled);
    return h(
      "div",
      { class: "bubble" },
      h("h2", { class: "hidden" }, "You"),
      text && h("div", { class: "bubble-text", text }),
      others.map((part) => (part.type === "media" ? media(part) : contentOf(part))),
      recalled.length > 0 && h("details", { class: "recalled" }, h("summary", {}, "What memory found beside it"), recalled.map((part) => h("div", { text: part.text }))),
      at && h("time", { class: "hidden", datetime: new Date(at).toISOString() }, moment(at)),
    );
  }

  view(item) {
    switch (item.kind) {
      case "text":
        return growing(h("div", { class: "prose" }), item, (element) => element.replaceChildren(render(item.text)));
      case "thinking": {
        const text = h("div", { class: "thought" });
        const element = h("details", { class: "thinking" }, h("summary", {}, "Thinking"), text);
        const view = growing(text, item, (block) => {
          block.textContent = item.text;
        });
        return { element, update: view.update };
      }
      case "call":
        return callCard(item, this.deeds.answer);
      case "steered":
        return { element: h("div", { class: "said steered" }, this.message(item.parts)) };
      case "cited":
        return { element: h("p", { class: "cited" }, "Source: ", link(item.uri, item.title)) };
      default:
        return { element: h("p", { class: "notice", text: item.text }) };
    }
  }

  /** How it ended, what it took, and what can be done with it. */
  end() {
    const turn = this.turn;
    if (turn.running) {
      replace(this.foot, h("p", { class: "working" }, h("span", { class: "dots", "aria-hidden": "true" }), "working"));
      return;
    }
    const outcome = turn.outcome ?? {};
    const words = OUTCOMES[outcome.outcome] ?? (outcome.outcome === "completed" ? "" : exactLines(outcome.reason ?? outcome.outcome ?? ""));
    const facts = [];
    if (turn.model) facts.push(exact(turn.model));
    if (turn.ended && turn.at) facts.push(duration(Math.max(0, turn.ended - turn.at)));
    if (turn.usage) facts.push(`${count(turn.usage.input)} in, ${count(turn.usage.output)} out`);
    if (turn.usage) facts.push(money(turn.dollars));
    const answer = () => turn.items.filter((item) => item.kind === "text").map((item) => item.text).join("\n\n");
    const copy = button("Copy", () => copied(copy, answer()), { class: "quiet-button" });
    replace(
      this.foot,
      words && h("p", { class: outcome.outcome === "failed" ? "problem" : "notice" }, words),
      h(
        "div",
        { class: "turn-line" },
        h("span", { class: "quiet" }, facts.join(" · ")),
        h(
          "span",
          { class: "turn-deeds" },
          copy,
          button("Fork before", () => this.deeds.fork(turn), { class: "quiet-button", title: "A new session that ends before this turn" }),
          button("Rewind", () => this.deeds.rewind(turn), { class: "quiet-button", title: "Forget this turn and all that follows" }),
        ),
      ),
    );
  }
}

/** A text that grows is drawn at most once a frame, a long one less often. */
function growing(element, item, draw) {
  let drawn = -1;
  let waiting = false;
  let at = 0;
  const now = () => {
    waiting = false;
    if (drawn === item.text.length) return;
    drawn = item.text.length;
    at = performance.now();
    draw(element);
  };
  const update = () => {
    if (waiting) return;
    waiting = true;
    const pause = item.text.length > 20_000 ? Math.max(0, SLOW - (performance.now() - at)) : 0;
    if (pause > 0) setTimeout(now, pause);
    else requestAnimationFrame(now);
  };
  now();
  return { element, update };
}

/** An empty place that says what can be done. */
export function welcomePage(say, offersSetup) {
  const tries = ["list files, then what time is it", "write hello.txt: good morning", "help"];
  return h(
    "div",
    { class: "welcome" },
    h("h1", {}, "Hydroid"),
    h("p", {}, "Say something below. Tools that only read run at once; whatever changes something is asked first."),
    h("div", { class: "tries" }, tries.map((text) => button(text, () => say(text)))),
    offersSetup && append(h("p", {}), [h("a", { href: "#/setup" }, "Set up a model"), " or go on with the rehearsal, which needs no key."]),
  );
}
