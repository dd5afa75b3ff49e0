// What every part does: wait for an answer, show it or why there is none.

import { button, h, replace, sentence } from "../dom.js";

/** Fills a place with what comes of a request, or with why nothing does and a way to try again. */
export async function filled(place, ask, show) {
  replace(place, h("p", { class: "quiet", role: "status" }, "Loading…"));
  try {
    const answer = await ask();
    replace(place, show(answer));
  } catch (error) {
    replace(place, problem(error.message), button("Try again", () => filled(place, ask, show)));
  }
}

/** Why something was not done. */
export function problem(text) {
  return h("p", { class: "problem", role: "alert" }, sentence(text));
}

/** Does something on a click; its button waits meanwhile, and what is wrong is said beside it. */
export function deed(text, run, attributes = {}) {
  const said = h("span", { class: "deed-said", role: "status" });
  const on = button(
    text,
    async () => {
      on.disabled = true;
      said.textContent = "…";
      said.className = "deed-said";
      try {
        said.textContent = (await run()) ?? "";
      } catch (error) {
        said.textContent = error.message;
        said.className = "deed-said problem";
      } finally {
        on.disabled = false;
      }
    },
    attributes,
  );
  return h("span", { class: "deed" }, on, said);
}
