// The configurator: its parts, and which one is looked at. Each part is a file that makes its
// place when it is opened.

import { h, replace } from "./dom.js";
import { restartNotice } from "./settings/restart.js";
import * as audit from "./settings/audit.js";
import * as components from "./settings/components.js";
import * as configuration from "./settings/configuration.js";
import * as costs from "./settings/costs.js";
import * as log from "./settings/log.js";
import * as memory from "./settings/memory.js";
import * as model from "./settings/model.js";
import * as rules from "./settings/rules.js";
import * as secrets from "./settings/secrets.js";
import * as status from "./settings/status.js";
import * as users from "./settings/users.js";

/** The parts, in their order. `open` are those that need no administrator. */
const PARTS = [
  ["status", "Status", status, true],
  ["model", "Model", model],
  ["secrets", "Secrets", secrets],
  ["components", "Components", components],
  ["rules", "Rules", rules],
  ["memory", "Memory", memory, true],
  ["costs", "Costs", costs, true],
  ["users", "Users", users],
  ["configuration", "Configuration", configuration],
  ["audit", "Audit", audit],
  ["log", "Log", log],
];

/** The configurator. */
export class Settings {
  constructor(household) {
    this.household = household;
    this.place = h("div", { class: "settings-place" });
    this.links = h("ul", { class: "settings-parts" });
    this.element = h(
      "section",
      { class: "settings", "aria-label": "Settings" },
      h("nav", { "aria-label": "Settings", class: "settings-nav" }, h("h1", {}, "Settings"), this.links),
      h("div", { class: "settings-main" }, restartNotice(household), this.place),
    );
    this.leave = null;
  }

  /** Shows a part. */
  show(name) {
    this.leave?.();
    this.leave = null;
    const part = PARTS.find(([id]) => id === name) ?? PARTS[0];
    const [id, title, module, open] = part;
    document.title = `${title} · Hydroid`;
    replace(
      this.links,
      PARTS.map(([other, text]) => h("li", {}, h("a", { href: `#/settings/${other}`, "aria-current": other === id ? "page" : null }, text))),
    );
    this.links.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
    const body = h("div", { class: "part" });
    replace(this.place, h("h2", { tabindex: "-1" }, title), body);
    if (!open && this.household.welcome && !this.household.administers) {
      replace(body, h("p", { class: "notice" }, "This is for an administrator: your token has no `admin`. `hydroid token` on the host's machine gives one that has."));
      return;
    }
    this.leave = module.show(body, this.household) ?? null;
  }

  /** Leaves whatever is shown. */
  hide() {
    this.leave?.();
    this.leave = null;
  }
}
