// The host's log: its end, what comes after it, and only what is looked for.

import { field, h, replace } from "../dom.js";
import { administer } from "../administration.js";
import { exact } from "../words.js";
import { problem } from "./waiting.js";

/** How often new lines are asked for, in milliseconds. */
const LOOK_EVERY = 2000;

/** Lines that are kept here. */
const MOST = 5000;

export function show(place) {
  const block = h("pre", { class: "log-lines", tabindex: "0", role: "log", "aria-label": "Log" });
  const words = h("input", { type: "search", autocomplete: "off", oninput: () => draw() });
  const level = h("select", { onchange: () => draw() }, [["", "all"], ["WARN", "warnings and errors"], ["ERROR", "errors"]].map(([value, text]) => h("option", { value }, text)));
  const follow = h("input", { type: "checkbox", checked: true });
  const said = h("div");
  let lines = [];
  let next;
  let gone = false;
  let timer;

  const fits = (line) => {
    const wanted = level.value === "" || line.includes("ERROR") || (level.value === "WARN" && line.includes("WARN"));
    return wanted && line.toLowerCase().includes(words.value.trim().toLowerCase());
  };
  const draw = () => {
    const end = block.scrollHeight - block.scrollTop - block.clientHeight < 40;
    const shown = lines.filter(fits);
    replace(block, shown.length > 0 ? shown.map((line) => h("span", { class: `line ${line.includes("ERROR") ? "removed" : line.includes("WARN") ? "place" : ""}`, text: `${exact(line)}\n` })) : h("span", { class: "quiet" }, lines.length > 0 ? "No line fits." : "The log is empty."));
    if (end) block.scrollTop = block.scrollHeight;
  };
  const look = async () => {
    if (follow.checked || next === undefined) {
      try {
        const answer = await administer("log", next === undefined ? {} : { after: next });
        if (gone) return;
        if (answer.begins_anew) lines = [];
        const fresh = next === undefined || answer.lines.length > 0;
        next = answer.next;
        lines = [...lines, ...answer.lines].slice(-MOST);
        replace(said);
        if (fresh) draw();
      } catch (error) {
        replace(said, problem(error.message));
      }
    }
    if (!gone) timer = setTimeout(look, LOOK_EVERY);
  };
  replace(place, h("div", { class: "row-fields" }, field("Words", words), field("Level", level), h("label", { class: "check" }, follow, "follow")), said, block);
  block.scrollTop = block.scrollHeight;
  look();
  return () => {
    gone = true;
    clearTimeout(timer);
  };
}
