// A configuration that was saved is in force after the host began anew; until then a notice says so.

import { h, replace } from "../dom.js";
import { administer } from "../administration.js";
import { deed } from "./waiting.js";

const KEY = "saved-in-run";

/** Remembers that this run of the host does not have what was saved. */
export function restartNeeded(household) {
  try {
    sessionStorage.setItem(KEY, household.welcome?.run ?? "");
  } catch {
    // Then the notice ends with the page.
  }
  window.dispatchEvent(new Event("restart-needed"));
}

/** Begins the host anew and waits until it is there. */
export async function restart(household) {
  const before = household.welcome?.run;
  await administer("restart");
  await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("The host did not come back within a minute; look at its log.")), 60_000);
    const look = (event) => {
      if (event.detail?.run === before) return;
      clearTimeout(late);
      household.removeEventListener("welcome", look);
      resolve();
    };
    household.addEventListener("welcome", look);
  });
}

/** The notice, shown as long as it is true. */
export function restartNotice(household) {
  const place = h("div", { class: "restart" });
  const draw = () => {
    let run = null;
    try {
      run = sessionStorage.getItem(KEY);
    } catch {
      run = null;
    }
    if (run === null || (household.welcome && household.welcome.run !== run)) {
      try {
        if (run !== null && household.welcome) sessionStorage.removeItem(KEY);
      } catch {
        // Nothing was kept.
      }
      replace(place);
      return;
    }
    replace(
      place,
      h("p", {}, "What was saved is in force after the host began anew. Turns that run then are cut and can be taken up again."),
      deed("Restart now", () => restart(household)),
    );
  };
  household.on("welcome", draw);
  window.addEventListener("restart-needed", draw);
  draw();
  return place;
}
