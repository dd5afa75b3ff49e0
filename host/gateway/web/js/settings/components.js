// Components: what is installed, what each wants and may do in plain words, and changing both.

import { append, ask, field, h, replace, sentence } from "../dom.js";
import { administer, spoken } from "../administration.js";
import { encoded } from "../household.js";
import { bytes, count, duration, exact, exactLines } from "../words.js";
import { deed, filled, problem } from "./waiting.js";

export function show(place) {
  const list = h("div", { class: "cards" });
  const file = h("input", { type: "file", accept: ".wasm" });
  const said = h("div", { "aria-live": "polite" });
  const only = h("input", { type: "checkbox", onchange: () => look() });
  const form = h(
    "form",
    { class: "stack" },
    field("A component's file", file, "It is installed without any grant; what it wants is shown first."),
    h("div", { class: "actions" }, h("button", { type: "submit", value: "check" }, "Check"), h("button", { type: "submit", value: "add", class: "primary" }, "Install")),
    said,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const chosen = file.files[0];
    if (!chosen) {
      replace(said, problem("Choose a file first."));
      return;
    }
    const add = event.submitter?.value === "add";
    replace(said, h("p", { class: "quiet" }, "Reading and compiling…"));
    try {
      const answer = await administer(add ? "add_component" : "check_component", { file: chosen.name, data: await encoded(chosen) });
      replace(said, h("pre", { class: "plain", tabindex: "0", text: exactLines(spoken(answer)) }));
      if (add) look();
    } catch (error) {
      replace(said, problem(error.message));
    }
  });
  const look = () =>
    filled(list, () => administer("components"), (components) => {
      const shown = components.filter((component) => !only.checked || component.place !== "release");
      const order = [...shown].sort((a, b) => Number(a.place === "release") - Number(b.place === "release") || a.name.localeCompare(b.name));
      return order.length > 0 ? order.map((component) => card(component, look)) : h("p", { class: "quiet" }, "None of your own is installed.");
    });
  replace(place, h("h3", {}, "Install"), form, h("h3", {}, "Installed"), h("label", { class: "check" }, only, "only my own"), list);
  look();
}

function card(component, look) {
  const own = component.place !== "release";
  const name = component.name;
  const report = (promise) =>
    promise.then((answer) => {
      if (answer.ok === false) throw new Error(spoken(answer));
      look();
      return "done";
    });
  const state = component.state === "ready" ? h("span", { class: "badge ok" }, "ready") : h("span", { class: "badge note" }, "not loaded");
  const inspected = h("div");
  const limits = component.limits;
  return h(
    "details",
    { class: "card", "data-component": name },
    h("summary", {}, h("strong", {}, exact(name)), ` ${component.version ?? ""} `, state, h("span", { class: "quiet" }, ` ${component.role ?? "unknown role"}, ${own ? "your own" : "of the release"}`)),
    component.description && h("p", {}, exact(component.description)),
    component.reasons.length > 0 && h("ul", { class: "rows" }, component.reasons.map((reason) => h("li", { class: "warning" }, sentence(exactLines(reason))))),
    component.tools.length > 0 && h("p", {}, "Tools: ", component.tools.map((tool) => [h("code", {}, exact(tool)), " "])),
    h("h4", {}, "What it wants and may do"),
    component.wants.length === 0 ? h("p", { class: "quiet" }, "It only computes: it wants nothing.") : h("ul", { class: "rows" }, component.wants.map((want) => wantRow(component, want, report))),
    component.hosts.length > 0 && h("p", {}, "May connect to: ", component.hosts.map((host) => [h("code", {}, exact(host)), " "])),
    component.secrets.length > 0 && h("p", {}, "Names the secrets: ", component.secrets.map((secret) => [h("code", {}, exact(secret)), " "])),
    limits &&
      h(
        "p",
        { class: "quiet" },
        `One call may take ${duration(limits.call_ms)}, ${bytes(limits.memory_bytes)} of memory, ${bytes(limits.output_bytes)} of output and ${count(limits.host_calls)} calls into the host. Configuration, components.${exact(name)}.limits changes that.`,
      ),
    h(
      "div",
      { class: "actions left" },
      deed("Everything about it", async () => {
        const answer = await administer("inspect_component", { name });
        replace(inspected, h("pre", { class: "plain", tabindex: "0", text: exactLines(answer.text) }));
      }),
      component.wants.some((want) => want.granted) && deed("Take everything back…", async () => {
        const sure = await ask(`Take back everything from ${name}`, h("p", {}, "It is not loaded until it is granted something again."), "Take back", "danger");
        return sure ? report(administer("revoke", { name })) : "";
      }, { class: "danger" }),
      own && deed("Remove…", async () => {
        const sure = await ask(`Remove ${name}`, h("p", {}, "Its file and its grants are removed."), "Remove", "danger");
        return sure ? report(administer("remove_component", { name })) : "";
      }, { class: "danger" }),
    ),
    inspected,
  );
}

function wantRow(component, want, report) {
  const name = component.name;
  const profile = want.profile;
  const head = [
    h("strong", {}, exact(want.in_words)),
    " (",
    h("code", {}, exact(profile)),
    ") ",
    h("span", { class: `badge ${want.granted ? "ok" : "note"}` }, want.granted ? "granted" : "not granted"),
    h("div", { class: "quiet" }, exact(want.reason)),
    want.hosts.length > 0 && h("div", { class: "quiet" }, `Hosts: ${exact(want.hosts.join(", "))}`),
  ];
  const revoke = () => deed("Take back", () => report(administer("revoke", { name, profile })), { class: "danger" });
  const grant = (fields = {}) => report(administer("grant", { name, profile, ...fields }));
  const wish = async () => {
    if (profile !== "web") {
      const sure = await ask(`Let ${name} ${want.in_words}`, h("p", {}, exact(want.reason || "It says no reason.")), "Grant");
      return sure ? pair(grant) : "";
    }
    const hosts = h("textarea", { name: "hosts", rows: "3", spellcheck: "false", value: want.hosts.join("\n") });
    const values = await ask(`Let ${name} reach the network`, [h("p", {}, exact(want.reason || "It says no reason.")), field("Hosts, one a line", hosts, "As example.com or api.example.com/v1. Empty: those it declares.")], "Grant");
    if (!values) return "";
    const named = values.hosts.split("\n").map((host) => host.trim()).filter(Boolean);
    const same = named.join("\n") === want.hosts.join("\n");
    return pair((more) => grant({ hosts: same ? [] : named, ...more }));
  };
  return append(h("li", {}), [head, h("div", { class: "row-deeds" }, want.granted ? [revoke(), profile === "web" && deed("Hosts…", wish)] : deed("Grant…", wish))]);
}

/** Files together with the web need a word of their own: it is asked for when the host wants it. */
async function pair(grant) {
  try {
    return await grant({});
  } catch (error) {
    if (!error.message.includes("files-and-web")) throw error;
    const sure = await ask("Files and the network together", h("p", { text: error.message }), "Accept both", "danger");
    return sure ? grant({ files_and_web: true }) : "";
  }
}

