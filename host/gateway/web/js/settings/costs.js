// What models have cost: by day and by model, drawn and as a table.

import { field, h, replace, svg } from "../dom.js";
import { count, exact, money, short } from "../words.js";
import { filled } from "./waiting.js";

const WIDTH = 720;
const HEIGHT = 200;
const BELOW = 24;
const LEFT = 56;

export function show(place, household) {
  const body = h("div");
  const by = h("select", { onchange: () => draw() }, h("option", { value: "dollars" }, "money"), h("option", { value: "tokens" }, "tokens"), h("option", { value: "requests" }, "requests"));
  const days = h("select", { onchange: () => draw() }, [[30, "last 30 days"], [90, "last 90 days"], [3650, "all"]].map(([value, text]) => h("option", { value }, text)));
  let answer = null;
  const draw = () => {
    if (answer) replace(body, shown(answer, by.value, Number(days.value)));
  };
  replace(place, h("div", { class: "row-fields" }, field("Show", by), field("From", days)), body);
  filled(body, () => household.request("cost"), (costs) => {
    answer = costs;
    return shown(costs, by.value, Number(days.value));
  });
}

function amount(row, by) {
  if (by === "dollars") return Number(row.dollars);
  if (by === "tokens") return row.usage.input + row.usage.output;
  return row.requests;
}

function written(value, by) {
  return by === "dollars" ? money(value) : short(value);
}

function shown(costs, by, most) {
  const { total } = costs;
  const days = costs.days.slice(-most);
  return [
    h("p", { class: "total" }, h("strong", {}, money(total.dollars)), ` for ${count(total.requests)} requests, ${short(total.usage.input)} tokens in and ${short(total.usage.output)} out.`, total.unknown > 0 && ` The cost of ${count(total.unknown)} of them is not known.`),
    h("h3", {}, "By day"),
    days.length > 0 ? chart(days, by) : h("p", { class: "quiet" }, "No model was asked."),
    h("h3", {}, "By model"),
    costs.models.length > 0 && bars(costs.models, by),
    h("details", {}, h("summary", {}, "As tables"), table("Day", days), table("Model", costs.models)),
  ];
}

/** Each day a bar; days on which nothing was asked have their place too. */
function chart(rows, by) {
  const days = spread(rows);
  const top = Math.max(...days.map((row) => (row ? amount(row.row ?? row, by) : 0)), 0) || 1;
  const step = (WIDTH - LEFT) / days.length;
  const height = HEIGHT - BELOW;
  const parts = [];
  for (const share of [0, 0.5, 1]) {
    const y = 8 + (height - 8) * (1 - share);
    parts.push(svg("line", { x1: LEFT, x2: WIDTH, y1: y, y2: y, class: "grid" }), svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, written(top * share, by)));
  }
  days.forEach((day, at) => {
    const value = day.row ? amount(day.row, by) : 0;
    const tall = ((height - 8) * value) / top;
    const bar = svg("rect", { x: LEFT + at * step + step * 0.1, y: height - tall, width: Math.max(1, step * 0.8), height: Math.max(value > 0 ? 1 : 0, tall), class: "bar" }, svg("title", {}, `${day.day}: ${written(value, by)}`));
    parts.push(bar);
    if (at % Math.ceil(days.length / 8) === 0) parts.push(svg("text", { x: LEFT + at * step + step / 2, y: HEIGHT - 6, "text-anchor": "middle" }, day.day.slice(5)));
  });
  return h("div", { class: "chart", tabindex: "0", role: "region", "aria-label": "Chart" }, svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Bars for ${days.length} days; the tables below have the numbers` }, parts));
}

function spread(rows) {
  const known = new Map(rows.map((row) => [row.group, row]));
  const first = Date.parse(`${rows[0].group}T00:00:00Z`);
  const last = Date.parse(`${rows.at(-1).group}T00:00:00Z`);
  if (!Number.isFinite(first) || !Number.isFinite(last) || last - first > 400 * 86_400_000) return rows.map((row) => ({ day: row.group, row }));
  const days = [];
  // A single day would be a wall; it has a week around it.
  for (let at = Math.min(first, last - 6 * 86_400_000); at <= last; at += 86_400_000) {
    const day = new Date(at).toISOString().slice(0, 10);
    days.push({ day, row: known.get(day) });
  }
  return days;
}

function bars(rows, by) {
  const sorted = [...rows].sort((a, b) => amount(b, by) - amount(a, by)).slice(0, 20);
  const top = Math.max(...sorted.map((row) => amount(row, by))) || 1;
  const line = 30;
  const parts = sorted.flatMap((row, at) => {
    const value = amount(row, by);
    return [
      svg("text", { x: 0, y: at * line + 12 }, exact(row.group)),
      svg("rect", { x: 0, y: at * line + 16, width: Math.max(1, (WIDTH - 100) * (value / top)), height: 8, class: "bar" }),
      svg("text", { x: WIDTH, y: at * line + 24, "text-anchor": "end" }, written(value, by)),
    ];
  });
  return h("div", { class: "chart", tabindex: "0", role: "region", "aria-label": "Chart" }, svg("svg", { viewBox: `0 0 ${WIDTH} ${sorted.length * line}`, role: "img", "aria-label": "Bars for each model; the tables below have the numbers" }, parts));
}

function table(name, rows) {
  const head = [name, "Requests", "Tokens in", "Tokens out", "Money", "Unknown"];
  return h(
    "div",
    { class: "wide", tabindex: "0", role: "region", "aria-label": `By ${name.toLowerCase()}` },
    h("table", {}, h("thead", {}, h("tr", {}, head.map((text) => h("th", { scope: "col" }, text)))), h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row" }, exact(row.group)), [count(row.requests), count(row.usage.input), count(row.usage.output), money(row.dollars), count(row.unknown)].map((text) => h("td", {}, text)))))),
  );
}
