// The person's notes: found by words, newest first without any, and forgotten one by one.

import { ask, field, h, replace } from "../dom.js";
import { exact, exactLines, moment } from "../words.js";
import { deed, filled } from "./waiting.js";

export function show(place, household) {
  const list = h("div");
  let later;
  const words = h("input", {
    type: "search",
    autocomplete: "off",
    oninput: () => {
      clearTimeout(later);
      later = setTimeout(look, 250);
    },
  });
  const look = () => filled(list, () => household.request("notes", { text: words.value.trim() }), (answer) => rows(answer.notes));
  const rows = (notes) =>
    notes.length === 0
      ? h("p", { class: "quiet" }, words.value.trim() ? "No note has these words." : "Nothing is remembered yet. Say “remember …” in a chat.")
      : h("ul", { class: "rows notes" }, notes.map(row));
  const row = (note) =>
    h(
      "li",
      {},
      h("div", { class: "note-text", text: exactLines(note.text) }),
      h("div", { class: "quiet" }, moment(note.at_ms), note.tags.map((tag) => [" ", h("span", { class: "badge" }, exact(tag))])),
      deed("Forget…", async () => {
        const sure = await ask("Forget this note", h("p", { text: exactLines(note.text) }), "Forget", "danger");
        if (!sure) return "";
        await household.request("forget_note", { note: note.note });
        look();
        return "forgotten";
      }, { class: "danger" }),
    );
  replace(place, h("p", {}, "What was remembered across sessions. What was said is found by the search beside the sessions."), field("Words", words), list);
  look();
  const again = () => look();
  household.addEventListener("welcome", again);
  return () => household.removeEventListener("welcome", again);
}
