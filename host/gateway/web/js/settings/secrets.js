// Secrets: which there are, where they are, where they may go. A value goes in and never out.

import { ask, field, h, replace } from "../dom.js";
import { administer, spoken } from "../administration.js";
import { exact, moment } from "../words.js";
import { deed, filled, problem } from "./waiting.js";

export function show(place) {
  const list = h("div");
  const name = h("input", { required: true, autocomplete: "off", spellcheck: "false", pattern: "[a-z0-9][a-z0-9_\\-]*", title: "small letters, digits, - and _" });
  const value = h("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false" });
  const said = h("div", { role: "status" });
  const form = h("form", { class: "stack" }, field("Name", name), field("Value", value, "It is sealed and cannot be read back here."), h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, "Store")), said);
  const look = () => filled(list, () => administer("secrets"), rows);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await administer("set_secret", { name: name.value.trim(), value: value.value });
      value.value = "";
      name.value = "";
      replace(said, h("p", { class: "good" }, spoken(answer)));
      look();
    } catch (error) {
      replace(said, problem(error.message));
    }
  });

  const row = (secret) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, exact(secret.name)),
      h("td", {}, secret.source ? exact(secret.source) : h("span", { class: "quiet" }, "not set")),
      h("td", {}, secret.set_ms ? moment(secret.set_ms) : ""),
      h("td", {}, secret.hosts.length > 0 ? exact(secret.hosts.join(", ")) : h("span", { class: "quiet" }, "nowhere yet")),
      h(
        "td",
        { class: "row-deeds" },
        deed(secret.version ? "Replace…" : "Set…", () => replaced(secret.name)),
        secret.version && deed("Remove…", () => removed(secret.name), { class: "danger" }),
      ),
    );
  const rows = (secrets) =>
    secrets.length === 0
      ? h("p", { class: "quiet" }, "There are no secrets.")
      : h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Secrets" }, h("table", {}, h("thead", {}, h("tr", {}, ["Name", "Where", "Set", "May go to", "Change"].map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, secrets.map(row))));

  async function replaced(secret) {
    const value = h("input", { type: "password", name: "value", required: true, autocomplete: "off", placeholder: "unchanged" });
    const values = await ask(`The secret ${secret}`, field("New value", value, "Cancel leaves it unchanged."), "Store");
    if (!values) return "unchanged";
    await administer("set_secret", { name: secret, value: values.value });
    look();
    return "stored";
  }

  async function removed(secret) {
    const sure = await ask(`Remove the secret ${secret}`, h("p", {}, "What uses it will not work any more."), "Remove", "danger");
    if (!sure) return "";
    await administer("remove_secret", { name: secret });
    look();
    return "removed";
  }

  replace(place, list, h("h3", {}, "Store a secret"), form);
  look();
}
