// How the host is: what runs, what does not work as it could and why, and what its doctor finds.

import { h, replace, sentence } from "../dom.js";
import { administer } from "../administration.js";
import { ago, duration, exact, exactLines, moment } from "../words.js";
import { deed, filled } from "./waiting.js";

const MARKS = { ok: "fine", note: "note", broken: "broken" };

export function show(place, household) {
  const status = h("div");
  const findings = h("div");
  replace(place, status, household.administers && [h("h3", {}, "Findings of the doctor"), findings]);
  const ask = () => filled(status, () => household.request("status"), (answer) => statusOf(answer, household));
  const opened = () => {
    ask();
    if (household.administers) filled(findings, () => administer("doctor"), findingsOf);
  };
  if (household.connection.state === "open") opened();
  const again = () => show(place, household);
  household.addEventListener("welcome", again, { once: true });
  return () => household.removeEventListener("welcome", again);
}

function statusOf(status, household) {
  const rows = [
    ["Version", exact(status.server)],
    ["Running since", `${moment(status.started_ms)} (${ago(status.started_ms, status.now_ms)})`],
    ["User", exact(status.user)],
    ["Model", `${exact(status.settings.model ?? "")} of ${exact(status.settings.provider ?? "")}`],
    ["Sessions in memory", status.sessions],
    ["Connections", status.connections],
    ["Your token may", (household.welcome?.scopes ?? []).join(", ")],
  ];
  return [
    status.stopped && h("p", { class: "problem" }, "Everything is stopped by the emergency stop; ", h("code", {}, "hydroid stop --release"), " lets it go on."),
    h("dl", { class: "facts" }, rows.map(([name, text]) => [h("dt", {}, name), h("dd", {}, String(text))])),
    h("h3", {}, "What does not work as it could"),
    status.degraded.length === 0
      ? h("p", { class: "good" }, "Everything works.")
      : h("ul", { class: "rows" }, status.degraded.map((part) => h("li", {}, h("strong", { text: exact(part.part) }), " ", h("span", {}, sentence(exactLines(part.reason)))))),
    h("h3", {}, "What runs"),
    status.running.length === 0
      ? h("p", { class: "quiet" }, "Nothing runs.")
      : h(
          "ul",
          { class: "rows" },
          status.running.map((running) =>
            h(
              "li",
              {},
              h("a", { href: `#/s/${running.session}` }, exact(household.sessions.get(running.session)?.title ?? running.session)),
              ` ${running.activity} for ${duration(running.ms)} `,
              (running.calls ?? []).map((call) => h("code", { text: `${exact(call.tool)} ${duration(call.ms)}` })),
              deed("Stop", () => household.request("cancel", { session: running.session }).then(() => "stopped")),
            ),
          ),
        ),
  ];
}

function findingsOf(answer) {
  const order = { broken: 0, note: 1, ok: 2 };
  const found = [...answer.findings].sort((a, b) => order[a.state] - order[b.state]);
  const fine = found.filter((one) => one.state === "ok");
  const row = (one) => h("li", { class: `finding ${one.state}` }, h("span", { class: "badge" }, MARKS[one.state]), h("span", {}, sentence(exactLines(one.text))));
  return [
    h("ul", { class: "rows" }, found.filter((one) => one.state !== "ok").map(row)),
    h("details", {}, h("summary", {}, `${fine.length} ${fine.length === 1 ? "thing is" : "things are"} fine`), h("ul", { class: "rows" }, fine.map(row))),
  ];
}
