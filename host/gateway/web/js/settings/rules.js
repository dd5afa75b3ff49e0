// Rules: the configured ones, what would become of a call, and what is allowed for good.

import { ask, field, h, replace } from "../dom.js";
import { administer, spoken } from "../administration.js";
import { exact, exactLines, moment } from "../words.js";
import { configurationForm } from "./configuration.js";
import { deed, filled, problem } from "./waiting.js";

const MODES = ["", "plan", "default", "accept-edits", "headless"];

export function show(place, household) {
  const standing = h("div");
  const written = h("div");
  const look = () => filled(standing, () => administer("approvals"), (answer) => standingOf(answer, look));
  replace(place, h("h3", {}, "Try a call"), tryForm(), h("h3", {}, "Allowed for good"), standing, allowForm(look), h("h3", {}, "Written rules"), written);
  look();
  configurationForm(written, household, (path) => path.startsWith("policy."));
}

function tryForm() {
  const call = h("input", { required: true, placeholder: "file_write /shared/notes/a.md", autocomplete: "off", spellcheck: "false" });
  const mode = h("select", {}, MODES.map((value) => h("option", { value }, value || "as configured")));
  const tainted = h("input", { type: "checkbox" });
  const said = h("div", { "aria-live": "polite" });
  const form = h(
    "form",
    { class: "stack" },
    field("Call", call, "A tool and what it would be called with."),
    field("Mode", mode),
    h("label", { class: "check" }, tainted, "as if something was read that nobody vouches for"),
    h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "What would happen?")),
    said,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const ruling = await administer("check_call", { call: call.value, mode: mode.value || null, tainted: tainted.checked });
      const rules = ruling.rules.filter((rule) => rule.applies);
      replace(
        said,
        h("p", {}, "It would ", h("strong", {}, { allow: "run", ask: "be asked about", deny: "be denied" }[ruling.decision] ?? ruling.decision), `, by ${exact(ruling.by)}.`),
        ruling.reason && h("p", { text: exactLines(ruling.reason) }),
        ruling.made_up.length > 0 && h("p", { class: "quiet" }, `Made up to try it: ${exact(ruling.made_up.join(", "))}`),
        rules.length > 0 && h("ul", { class: "rows" }, rules.map((rule) => h("li", {}, h("code", { text: exact(rule.rule) })))),
      );
    } catch (error) {
      replace(said, problem(error.message));
    }
  });
  return form;
}

function standingOf(answer, look) {
  const rows = answer.standing.map((past) =>
    h(
      "li",
      {},
      h("code", { text: exact(past.calls) }),
      h("span", { class: "quiet" }, ` since ${moment(past.created_ms)}${past.expires_ms ? `, until ${moment(past.expires_ms)}` : ""}${past.component ? `, of ${exact(past.component)}` : ""} `),
      deed("Take back…", async () => {
        const sure = await ask("Take back", h("p", {}, "Calls that fit ", h("code", { text: exact(past.calls) }), " are asked about again."), "Take back", "danger");
        if (!sure) return "";
        await administer("revoke_approval", { id: past.id });
        look();
        return "taken back";
      }, { class: "danger" }),
    ),
  );
  const questions = answer.questions.map((question) => h("li", {}, h("code", { text: exact(question.tool) }), ` waits since ${moment(question.asked_ms)} in `, h("a", { href: `#/s/${question.session}` }, "its session")));
  return [
    rows.length > 0 ? h("ul", { class: "rows" }, rows) : h("p", { class: "quiet" }, "Nothing is allowed for good."),
    questions.length > 0 && [h("h4", {}, "Questions that wait"), h("ul", { class: "rows" }, questions)],
  ];
}

function allowForm(look) {
  const calls = h("input", { required: true, placeholder: "file_write(/shared/notes/**)", autocomplete: "off", spellcheck: "false" });
  const days = h("input", { type: "number", min: "1", placeholder: "never" });
  const said = h("div", { role: "status" });
  const form = h("form", { class: "stack" }, field("Allow calls from now on", calls), field("Ends after days", days), h("div", { class: "actions" }, h("button", { type: "submit" }, "Allow")), said);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await administer("allow_calls", { calls: calls.value.trim(), days: days.value ? Number(days.value) : null });
      calls.value = "";
      replace(said, h("p", { class: "good", text: exactLines(spoken(answer)) }));
      look();
    } catch (error) {
      replace(said, problem(error.message));
    }
  });
  return form;
}
