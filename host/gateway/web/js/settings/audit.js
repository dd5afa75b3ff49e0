// The audit log: what was decided and done, found by what is known of it, and whether it is whole.

import { field, h, replace } from "../dom.js";
import { administer, spoken } from "../administration.js";
import { exact, exactLines } from "../words.js";
import { deed, filled } from "./waiting.js";

export function show(place) {
  const list = h("div");
  const whole = h("pre", { class: "plain", tabindex: "0" });
  whole.hidden = true;
  const action = h("input", { placeholder: "any", autocomplete: "off", list: "audit-actions" });
  const outcome = h("select", {}, ["", "allowed", "asked", "denied", "failed"].map((value) => h("option", { value }, value || "any")));
  const component = h("input", { placeholder: "any", autocomplete: "off" });
  const since = h("input", { placeholder: "7d, 1h or 2026-11-22", autocomplete: "off" });
  const form = h("form", { class: "row-fields" }, field("What", action), field("Outcome", outcome), field("Component", component), field("Since", since), h("button", { type: "submit" }, "Find"), h("datalist", { id: "audit-actions" }, ["call-decided", "call-finished", "request", "grant-changed", "component-changed", "config-changed", "secret-changed", "approval-changed"].map((value) => h("option", { value }))));
  const look = () => filled(list, () => administer("audit", { action: action.value.trim() || null, outcome: outcome.value || null, component: component.value.trim() || null, since: since.value.trim() || null, limit: 300 }), rows);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    look();
  });
  replace(
    place,
    deed("Is it whole?", async () => {
      const answer = await administer("verify_audit");
      whole.hidden = false;
      whole.textContent = exactLines(spoken(answer));
      return answer.ok ? "It is." : "It is not.";
    }),
    whole,
    form,
    list,
  );
  look();
}

function rows(records) {
  if (records.length === 0) return h("p", { class: "quiet" }, "No record fits.");
  const head = ["Number", "When", "Outcome", "What", "Component", "To what", "By"];
  return h(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": "Audit log" },
    h("table", {}, h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, records.toReversed().map(row))),
  );
}

function row(record) {
  const event = record.event && typeof record.event === "object" ? record.event : {};
  const outcome = String(event.outcome ?? "");
  return h(
    "tr",
    {},
    h("td", {}, String(record.seq)),
    h("td", {}, new Date(record.at_ms).toLocaleString()),
    h("td", {}, h("span", { class: `badge ${outcome === "denied" || outcome === "failed" ? "broken" : outcome === "asked" ? "note" : "ok"}` }, exact(outcome))),
    h("td", {}, exact(event.action ?? "")),
    h("td", {}, exact(event.component ?? "")),
    h("td", { class: "breaks" }, exact(event.resource ?? "")),
    h("td", { class: "breaks" }, exact(event.rule ?? "")),
  );
}
