// Who may come in: tokens by user and client, made, shown once and taken back.

import { ask, button, field, h, replace } from "../dom.js";
import { administer, spoken } from "../administration.js";
import { copied } from "../markdown.js";
import { exact, exactLines, moment } from "../words.js";
import { deed, filled, problem } from "./waiting.js";

const SCOPES = [
  ["chat", "chat: say things, answer approvals, change sessions"],
  ["read", "read: see sessions and figures"],
  ["admin", "admin: also what concerns the whole host"],
];

export function show(place, household) {
  const list = h("div");
  const user = h("input", { value: household.welcome?.user ?? "", required: true, autocomplete: "off", spellcheck: "false" });
  const client = h("input", { value: "client", required: true, autocomplete: "off", spellcheck: "false" });
  const scope = h("select", {}, SCOPES.map(([value, text]) => h("option", { value }, text)));
  const days = h("input", { type: "number", min: "1", placeholder: "never" });
  const said = h("div", { "aria-live": "polite" });
  const form = h("form", { class: "stack" }, field("User", user, "One who is not there yet comes into being with the first token."), field("Client", client, "What uses it, for the list."), field("It may", scope), field("Ends after days", days), h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Make a token")), said);
  const look = () => filled(list, () => administer("tokens"), rows);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const made = await administer("create_token", { user: user.value.trim(), client: client.value.trim(), scope: scope.value, days: days.value ? Number(days.value) : null });
      const token = made.text.trim();
      const copy = button("Copy", () => copied(copy, token));
      replace(said, h("p", {}, "It is shown this once:"), h("pre", { class: "plain", tabindex: "0", text: exactLines(token) }), copy);
      look();
    } catch (error) {
      replace(said, problem(error.message));
    }
  });

  const row = (token) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, exact(token.user)),
      h("td", {}, exact(token.client)),
      h("td", {}, exact([token.scopes ?? token.scope ?? []].flat().join(", "))),
      h("td", {}, token.created_ms ? moment(token.created_ms) : ""),
      h("td", {}, token.expires_ms ? moment(token.expires_ms) : "never"),
      h("td", { class: "row-deeds" }, deed("Take back…", async () => {
        const sure = await ask("Take this token back", h("p", {}, `Who uses it is out at the next request: ${exact(token.client)} of ${exact(token.user)}.`), "Take back", "danger");
        if (!sure) return "";
        const answer = await administer("revoke_token", { id: token.id ?? token.token });
        if (!answer.ok) throw new Error(spoken(answer));
        look();
        return "taken back";
      }, { class: "danger" })),
    );
  const rows = (tokens) =>
    tokens.length === 0
      ? h("p", { class: "quiet" }, "There are no tokens.")
      : h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Tokens" }, h("table", {}, h("thead", {}, h("tr", {}, ["User", "Client", "May", "Made", "Ends", "Change"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, tokens.map(row))));
  replace(place, list, h("h3", {}, "Let somebody in"), form);
  look();
}
