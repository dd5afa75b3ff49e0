// Every configuration key as a form, from the host's own list of keys: what it does, its default,
// what is in force and where from. A change is tried while it is typed, and shown before it is saved.

import { ask, button, field, h, identifier, replace, sentence } from "../dom.js";
import { differenceLines } from "../markdown.js";
import { administer } from "../administration.js";
import { exact, exactLines, moment } from "../words.js";
import { restartNeeded } from "./restart.js";
import { deed, filled, problem } from "./waiting.js";

/** Milliseconds after the last key before a change is tried. */
const TRY_AFTER = 300;

const ABOVE = {
  variable: "An environment variable stands above the file: a change here has no effect until it is gone.",
  flag: "The command line of the host stands above the file: a change here has no effect until it is gone.",
  workspace: "The workspace's hydroid.toml stands above your file.",
};

export function show(place, household) {
  const form = h("div");
  const kept = h("div");
  replace(place, form, h("h3", {}, "Earlier files"), kept);
  const backups = () => filled(kept, () => administer("config_backups"), (rows) => earlier(rows, () => show(place, household), household));
  configurationForm(form, household, () => true, backups);
  backups();
}

/** The form of those keys that are wanted. */
export function configurationForm(place, household, wanted, saved) {
  filled(place, () => administer("config"), (answer) => new Form(answer, household, wanted, () => {
    configurationForm(place, household, wanted, saved);
    saved?.();
  }).element);
}

class Form {
  constructor(answer, household, wanted, saved) {
    this.answer = answer;
    this.household = household;
    this.saved = saved;
    this.changes = new Map();
    this.rows = new Map();
    this.bar = h("div", { class: "save-bar", role: "region", "aria-label": "Changes" });
    const keys = answer.keys.filter((key) => wanted(key.path));
    const groups = Map.groupBy ? Map.groupBy(keys, (key) => key.path.split(".")[0]) : grouped(keys);
    const words = h("input", { type: "search", autocomplete: "off", oninput: () => this.filter(words.value.trim().toLowerCase()) });
    const changed = h("input", { type: "checkbox", onchange: () => this.filter(words.value.trim().toLowerCase()) });
    this.onlySet = changed;
    this.groups = [...groups].map(([name, members]) => this.group(name, members));
    this.element = h(
      "div",
      {},
      answer.problem && problem(answer.problem),
      h("p", { class: "quiet" }, "Your file is ", h("code", {}, exact(answer.file)), ". Comments in it stay."),
      h("div", { class: "row-fields" }, field("Find a key", words), h("label", { class: "check" }, changed, "only what is set")),
      this.groups.map((group) => group.element),
      this.bar,
    );
    this.showBar();
  }

  group(name, keys) {
    const rows = keys.flatMap((key) => (key.path.includes("*") ? this.family(key) : [this.row(key, key.path)]));
    const list = h("div", { class: "keys" }, rows.map((row) => row.element));
    const element = h("details", { class: "group", open: keys.length < 8 }, h("summary", {}, h("strong", {}, exact(name)), h("span", { class: "quiet" }, ` ${keys.length} ${keys.length === 1 ? "key" : "keys"}`)), list);
    return { element, rows };
  }

  /** Keys with a name in them: one row for each that is set, and a way to set another. */
  family(key) {
    const pattern = new RegExp(`^${key.path.split("*").map((part) => part.replace(/[.]/g, "\\.")).join("([^.]+)")}(\\..+)?$`);
    const set = Object.keys(this.answer.values).filter((path) => pattern.test(path));
    const rows = set.map((path) => this.row(key, path));
    const name = h("input", { "aria-label": `Name for ${key.path}`, placeholder: key.path.startsWith("policy") ? "file_write" : "name", autocomplete: "off", spellcheck: "false", size: "18" });
    const place = h("div");
    const add = button("Add", () => {
      const text = name.value.trim();
      if (!/^[A-Za-z0-9_-]+$/.test(text)) {
        name.setCustomValidity("letters, digits, - and _");
        name.reportValidity();
        return;
      }
      const path = key.path.replace("*", text);
      if (this.rows.has(path)) {
        this.rows.get(path).control.focus();
        return;
      }
      const row = this.row(key, path);
      place.append(row.element);
      row.control.focus();
      name.value = "";
    });
    name.addEventListener("input", () => name.setCustomValidity(""));
    const element = h("div", { class: "key family" }, h("div", { class: "key-name" }, h("code", {}, key.path)), h("p", { class: "help" }, sentence(key.doc)), h("div", { class: "row-deeds" }, name, add), place);
    return [...rows, { element, path: key.path, doc: key.doc, family: true }];
  }

  row(key, path) {
    const now = this.answer.values[path];
    const id = identifier("key");
    const inFile = now?.from === "user";
    const value = now ? now.value : "";
    const control = this.control(key, value, id);
    const said = h("p", { class: "problem", id: `${id}-problem`, role: "alert" });
    const back = button("Use the default", () => this.change(path, null), { class: "quiet-button" });
    back.hidden = !inFile;
    const undo = button("Undo", () => this.undo(path), { class: "quiet-button" });
    undo.hidden = true;
    control.setAttribute("aria-describedby", `${id}-help ${id}-problem`);
    control.addEventListener("input", () => {
      if (control.value === value) this.undo(path, true);
      else this.change(path, control.value, true);
    });
    const source = !now ? "not set" : now.from === "default" ? "default" : now.from === "user" ? "your file" : exact(now.origin);
    const element = h(
      "div",
      { class: "key" },
      h("div", { class: "key-name" }, h("label", { for: id }, h("code", {}, exact(path))), h("span", { class: `badge ${inFile ? "set" : ""}` }, source)),
      h("div", { class: "key-control" }, control, back, undo),
      h("p", { class: "help", id: `${id}-help` }, sentence(key.doc), key.default ? h("span", {}, " Default: ", h("code", {}, key.default)) : " No default.", ` (${key.kind})`),
      now && ABOVE[now.from] && h("p", { class: "warning" }, ABOVE[now.from]),
      said,
    );
    const row = { element, control, said, back, undo, path, doc: key.doc, value, inFile, set: now && now.from !== "default" };
    this.rows.set(path, row);
    return row;
  }

  control(key, value, id) {
    const choices = { bool: ["true", "false"], rule: ["allow", "ask", "deny"], mode: ["plan", "default", "accept-edits", "headless"] }[key.kind];
    if (choices) {
      const control = h("select", { id }, !choices.includes(value) && h("option", { value }, value || "—"), choices.map((choice) => h("option", { value: choice }, choice)));
      control.value = value;
      return control;
    }
    const long = ["table", "list of rules", "list of models"].includes(key.kind) || value.length > 60 || value.includes("\n");
    if (long) return h("textarea", { id, rows: String(Math.min(8, Math.max(2, Math.ceil(value.length / 60)))), spellcheck: "false", value });
    return h("input", { id, value, autocomplete: "off", spellcheck: "false", inputmode: key.kind === "number" ? "decimal" : null });
  }

  change(path, value, typed) {
    const row = this.rows.get(path);
    this.changes.set(path, value);
    row.undo.hidden = false;
    row.element.classList.add("changed");
    if (!typed) {
      row.control.disabled = value === null;
    }
    this.later();
  }

  undo(path, typed) {
    const row = this.rows.get(path);
    this.changes.delete(path);
    row.undo.hidden = true;
    row.control.disabled = false;
    if (!typed) row.control.value = row.value;
    row.element.classList.remove("changed");
    row.said.textContent = "";
    row.control.removeAttribute("aria-invalid");
    this.later();
  }

  later() {
    this.showBar("…");
    clearTimeout(this.due);
    this.due = setTimeout(() => this.try(), TRY_AFTER);
  }

  asked() {
    return [...this.changes].map(([key, value]) => (value === null ? { key } : { key, value }));
  }

  /** The host tries the changes and says what is wrong, at its key. */
  async try() {
    const changes = this.asked();
    this.tries = (this.tries ?? 0) + 1;
    const mine = this.tries;
    if (changes.length === 0) {
      this.tried = null;
      this.showBar();
      return;
    }
    let tried;
    try {
      tried = await administer("check_config", { changes });
    } catch (error) {
      this.showBar(error.message);
      return;
    }
    if (mine !== this.tries) return;
    this.tried = tried;
    const wrong = new Map(tried.problems.map((one) => [one.key, one.text]));
    for (const path of this.changes.keys()) {
      const row = this.rows.get(path);
      const text = wrong.get(path) ?? "";
      replace(row.said, sentence(exactLines(text)));
      if (text) row.control.setAttribute("aria-invalid", "true");
      else row.control.removeAttribute("aria-invalid");
    }
    this.showBar();
  }

  showBar(waiting) {
    const many = this.changes.size;
    this.bar.hidden = many === 0;
    if (many === 0) return;
    const wrong = this.tried?.problems.length ?? 0;
    const ready = !waiting && this.tried && wrong === 0;
    replace(
      this.bar,
      h("span", { role: "status" }, `${many} ${many === 1 ? "change" : "changes"}`, waiting ? ` ${waiting}` : wrong > 0 ? `, of which ${wrong} cannot be taken` : ""),
      button("Discard", () => [...this.changes.keys()].forEach((path) => this.undo(path))),
      button("Review and save…", () => this.save(), { class: "primary", disabled: !ready }),
    );
  }

  async save() {
    const changes = this.asked();
    const difference = this.tried.difference;
    if (!difference) {
      await ask("Nothing to save", h("p", {}, "The file would be as it is."), "Close");
      return;
    }
    const sure = await ask(
      "Save these changes?",
      [h("pre", { class: "diff", tabindex: "0" }, differenceLines(exactLines(difference))), h("p", { class: "quiet" }, "The file as it is now is kept. What is saved is in force after the host began anew.")],
      "Save",
    );
    if (!sure) return;
    try {
      await administer("save_config", { changes, base: this.answer.base });
      restartNeeded(this.household);
      this.saved();
    } catch (error) {
      this.showBar();
      this.bar.prepend(problem(error.message));
    }
  }

  filter(words) {
    const only = this.onlySet.checked;
    for (const group of this.groups) {
      let any = false;
      for (const row of group.rows) {
        const fits = (words === "" || row.path.includes(words) || row.doc.toLowerCase().includes(words)) && (!only || row.set);
        row.element.hidden = !fits;
        any ||= fits;
      }
      group.element.hidden = !any;
      if (words !== "" || only) group.element.open = any;
    }
  }
}

function grouped(keys) {
  const groups = new Map();
  for (const key of keys) {
    const name = key.path.split(".")[0];
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(key);
  }
  return groups;
}

function earlier(rows, again, household) {
  if (rows.length === 0) return h("p", { class: "quiet" }, "None was kept yet.");
  return h(
    "ul",
    { class: "rows" },
    rows.map((row) =>
      h(
        "li",
        {},
        `before ${moment(row.at_ms)} `,
        row.difference ? h("details", {}, h("summary", {}, "What putting it back would change"), h("pre", { class: "diff", tabindex: "0" }, differenceLines(exactLines(row.difference)))) : h("span", { class: "quiet" }, "the same as now "),
        row.difference && deed("Put it back…", async () => {
          const sure = await ask("Put this file back", h("pre", { class: "diff", tabindex: "0" }, differenceLines(exactLines(row.difference))), "Put it back");
          if (!sure) return "";
          await administer("restore_config", { backup: row.backup });
          restartNeeded(household);
          again();
          return "";
        }),
      ),
    ),
  );
}
