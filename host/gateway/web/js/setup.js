// The first minute: a service, its key, a model, and a first answer. With nothing given, the
// rehearsal answers, which needs no key.

import { append, button, h, replace } from "./dom.js";
import { administer, spoken } from "./administration.js";
import { render } from "./markdown.js";
import { newKey } from "./household.js";
import { exactLines } from "./words.js";
import { serviceForm } from "./settings/service.js";
import { restart } from "./settings/restart.js";
import { filled, problem } from "./settings/waiting.js";

/** Milliseconds a first answer may take before it is said that something is wrong. */
const PATIENCE = 60_000;

/** The set-up page. */
export class Setup {
  constructor(household) {
    this.household = household;
    this.element = h("section", { class: "setup", "aria-label": "Set-up" });
  }

  show() {
    document.title = "Set up · Hydroid";
    const form = h("div");
    const answer = h("div", { class: "first-answer", "aria-live": "polite" });
    replace(
      this.element,
      h("h1", {}, "Welcome to Hydroid"),
      h("p", {}, "Choose a service that answers for a model, and give its key. You can change all of it later under Settings."),
      form,
      answer,
      h("hr"),
      h("h2", {}, "Or without a key"),
      h("p", {}, "The rehearsal has no language model inside: it follows a small grammar of English commands and really runs the tools they name."),
      append(h("div", { class: "actions left" }), [button("Begin with the rehearsal", () => this.hello(answer), { class: "rehearse" })]),
    );
    const ask = () =>
      filled(form, () => administer("providers"), (services) =>
        serviceForm(services, { accept: "Use it and say hello", done: (said, service, place) => this.begin(said, answer, place) }),
      );
    if (this.household.welcome && !this.household.administers) replace(form, problem("Setting up is for an administrator."));
    else ask();
  }

  /** The host begins anew with what was written, then says hello. */
  async begin(said, answer, place) {
    replace(answer, h("p", { class: "quiet" }, "Beginning with the new model…"));
    try {
      await restart(this.household);
      await this.hello(answer);
    } catch (error) {
      replace(answer);
      replace(place, problem(error.message), h("pre", { class: "plain", tabindex: "0", text: exactLines(said) }));
    }
  }

  /** Says hello and shows what comes back. */
  async hello(answer) {
    const household = this.household;
    const shown = h("div", { class: "prose" });
    replace(answer, h("h2", {}, "Hello"), shown, h("p", { class: "quiet" }, "Waiting for the first words…"));
    try {
      const session = await household.create(newKey(), {}, "Hello");
      const conversation = household.conversations.get(session);
      const ended = new Promise((resolve, reject) => {
        const late = setTimeout(() => reject(new Error("No answer came within a minute.")), PATIENCE);
        const look = (event) => {
          if (event.detail !== session) return;
          const turn = conversation.newest();
          const text = (turn?.items ?? []).filter((item) => item.kind === "text").map((item) => item.text).join("\n\n");
          shown.replaceChildren(render(text));
          if (!turn || turn.running) return;
          clearTimeout(late);
          household.removeEventListener("conversation", look);
          resolve(turn);
        };
        household.addEventListener("conversation", look);
      });
      const hello = { session, text: "hello", key: newKey() };
      await household.persistently(() => household.request("say", hello));
      const turn = await ended;
      if (turn.outcome?.outcome !== "completed") throw new Error(turn.outcome?.reason ?? "The turn did not complete.");
      replace(answer, h("h2", {}, "Hello"), shown, h("p", {}, h("a", { href: `#/s/${session}`, class: "button primary" }, "Go on to the chat")));
    } catch (error) {
      replace(answer, problem(error.message), h("p", {}, h("a", { href: "#/settings/model" }, "Look at the model's settings"), " or try another service above."));
      if (household.administers) {
        const tried = await administer("test_provider").catch(() => null);
        if (tried && !tried.ok) answer.append(h("pre", { class: "plain", tabindex: "0", text: exactLines(spoken(tried)) }));
      }
    }
  }
}
