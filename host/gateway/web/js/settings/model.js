// Which service answers: the one in use, another one, and whether it does.

import { h, replace } from "../dom.js";
import { administer, spoken } from "../administration.js";
import { exact, exactLines } from "../words.js";
import { restartNeeded } from "./restart.js";
import { deed, filled } from "./waiting.js";
import { serviceForm } from "./service.js";

export function show(place, household) {
  const used = household.defaults;
  const tried = h("pre", { class: "plain", tabindex: "0" });
  tried.hidden = true;
  const form = h("div");
  replace(
    place,
    h("p", {}, "In use: ", h("strong", {}, exact(used.model ?? "unknown")), " of ", h("code", {}, exact(used.provider ?? "unknown")), "."),
    deed("Try it", async () => {
      const answer = await administer("test_provider");
      tried.hidden = false;
      tried.textContent = exactLines(spoken(answer));
      return answer.ok ? "It works." : "It does not work yet.";
    }),
    tried,
    h("h3", {}, "Use a service"),
    form,
  );
  filled(form, () => administer("providers"), (services) => serviceForm(services, {
    accept: "Use it",
    done: (said) => {
      restartNeeded(household);
      tried.hidden = false;
      tried.textContent = exactLines(said);
    },
  }));
}
