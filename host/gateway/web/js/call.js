// A tool call as a card: what is called with what, how long it took, what came back; and while it
// waits for an answer, the question with everything to decide on.

import { append, ask, button, field, h, identifier, replace } from "./dom.js";
import { differenceLines } from "./markdown.js";
import { bytes, cut, duration, exact, exactLines } from "./words.js";

/** Lines of a result that are shown before it is unfolded. */
const FOLDED = 20;

/** Characters of a result that are put into the page at all. */
const MOST_SHOWN = 200_000;

const STATES = {
  received: "waiting",
  asked: "asks you",
  allowed: "allowed",
  running: "running",
  done: "done",
  failed: "failed",
  denied: "denied",
  ended: "not run",
};

const IMPACTS = {
  read_only: "only reads",
  network: "reads from the network",
  edits: "changes files or notes",
  changes: "can change something outside",
  vault: "takes something out of the vault",
};

const DECIDED = { policy: "by the rules", user: "by you", session: "by you, for this session", standing: "by you, for good" };

/** A card that is kept up to date by `update`. */
export function callCard(call, answer) {
  const state = h("span", { class: "state" });
  const name = h("code", { class: "tool-name" });
  const brief = h("span", { class: "brief" });
  const time = h("span", { class: "time" });
  const body = h("div", { class: "tool-body" });
  const summary = h("summary", {}, state, name, brief, time);
  const element = h("details", { class: "tool" }, summary, body);
  let shown = "";
  let question = null;
  let ticking;

  const tick = () => {
    if (call.state === "running" && call.began) time.textContent = duration(Math.max(0, Date.now() - call.began));
  };

  const update = () => {
    element.dataset.state = call.state;
    state.textContent = STATES[call.state] ?? call.state;
    name.textContent = exact(call.name);
    brief.textContent = briefly(call.arguments);
    time.textContent = call.began && call.ended ? duration(Math.max(0, call.ended - call.began)) : "";
    if (call.state === "running" && !ticking) ticking = setInterval(tick, 500);
    if (call.state !== "running" && ticking) {
      clearInterval(ticking);
      ticking = undefined;
    }
    if (call.state === "asked") {
      if (!question) {
        question = asking(call, answer);
        replace(body, question);
        element.open = true;
        shown = "";
      }
      return;
    }
    if (question) {
      // Whoever answered by keyboard stays where they were.
      const held = question.contains(document.activeElement);
      question = null;
      element.open = false;
      replace(body);
      shown = "";
      if (held || document.activeElement === document.body) summary.focus({ preventScroll: true });
    }
    if (element.open) fill();
    else shown = "";
    const progress = call.state === "running" && call.progress;
    if (progress) brief.textContent = `${progress.fraction === undefined ? "" : `${Math.round(progress.fraction * 100)} % `}${cut(exact(progress.note), 120)}`;
  };

  // What nobody looks at is not made.
  const fill = () => {
    const now = `${call.state}/${call.arguments.length}/${call.edited ?? ""}/${call.output ? 1 : 0}`;
    if (now === shown || call.state === "asked") return;
    shown = now;
    replace(body, facts(call), preview(call.question?.preview, true), argumentsOf(call), resultOf(call));
  };
  element.addEventListener("toggle", () => {
    if (element.open) fill();
  });
  update();
  return { element, update };
}

/** The argument that tells most, on one line. */
function briefly(text) {
  try {
    const values = Object.entries(JSON.parse(text));
    const told = ["path", "file", "url", "query", "text", "command"].map((name) => values.find(([key]) => key === name)).find(Boolean) ?? values[0];
    return told ? cut(exact(typeof told[1] === "string" ? told[1] : JSON.stringify(told[1])), 90) : "";
  } catch {
    return cut(exact(text), 90);
  }
}

function facts(call) {
  const rows = [];
  if (call.component) rows.push(["Component", exact(call.component)]);
  if (call.decision) rows.push(["Decided", `${call.decision} ${DECIDED[call.by] ?? ""}${call.rule ? ` (${exact(call.rule)})` : ""}`]);
  if (call.reason) rows.push(["Because", exact(call.reason)]);
  if (call.edited) rows.push(["Arguments", "changed by you"]);
  if (call.label?.trust === "untrusted") rows.push(["Result is", "data nobody vouches for"]);
  if (call.label?.secret) rows.push(["Marked", "holds something secret"]);
  return rows.length > 0 && h("dl", { class: "facts" }, rows.map(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]));
}

/** JSON with each text readable, or the text itself where it is none. */
export function pretty(text) {
  try {
    return exactLines(JSON.stringify(JSON.parse(text), null, 2));
  } catch {
    return exactLines(text);
  }
}

function argumentsOf(call) {
  return [h("h4", {}, "Arguments"), folded(pretty(call.arguments))];
}

function resultOf(call) {
  if (!call.output) return null;
  const parts = call.output.content.map((content) => contentOf(content));
  return [h("h4", {}, call.output.is_error ? "Error" : "Result"), parts.length > 0 ? parts : h("p", { class: "quiet" }, "nothing")];
}

/** A piece of content. Nothing of it is read as HTML or Markdown. */
export function contentOf(content) {
  switch (content.type) {
    case "text":
      return folded(exactLines(content.text));
    case "json":
      return folded(exactLines(JSON.stringify(content.json, null, 2)));
    case "media":
      return media(content);
    case "link":
      return link(content.uri, content.title);
    default:
      return folded(exactLines(JSON.stringify(content, null, 2)));
  }
}

/** A link that leads where it says, or only its text. */
export function link(uri, title) {
  let safe = false;
  try {
    safe = ["https:", "http:"].includes(new URL(uri).protocol);
  } catch {
    safe = false;
  }
  const text = title ? `${exact(title)} (${exact(uri)})` : exact(uri);
  return safe ? h("a", { href: uri, target: "_blank", rel: "noopener noreferrer nofollow" }, text) : h("span", {}, text);
}

const PICTURES = ["image/png", "image/jpeg", "image/gif", "image/webp"];

/** A picture of a few kinds is shown, everything else is offered as a file. */
export function media(content) {
  const name = exact(content.name ?? "file");
  if (PICTURES.includes(content.media_type)) {
    return h("img", { class: "picture", alt: name, src: `data:${content.media_type};base64,${content.data}` });
  }
  const size = Math.floor((content.data.length * 3) / 4);
  return button(`Save ${name} (${exact(content.media_type)}, ${bytes(size)})`, () => {
    const raw = atob(content.data);
    save(Uint8Array.from(raw, (character) => character.charCodeAt(0)), content.name ?? "file");
  });
}

/** Offers bytes as a file. Its kind is never one a browser opens as a page. */
export function save(data, name) {
  const address = URL.createObjectURL(new Blob([data], { type: "application/octet-stream" }));
  const anchor = h("a", { href: address, download: name.replace(/[/\\\u0000-\u001f\u202a-\u202e\u2066-\u2069]/g, "_") });
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** A text of which a long one is folded. */
function folded(text) {
  const whole = text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}\n… ${text.length - MOST_SHOWN} more characters; export the session to read them` : text;
  const lines = whole.split("\n");
  const block = h("pre", { class: "plain", tabindex: "0" });
  if (lines.length <= FOLDED + 5) {
    block.textContent = whole;
    return block;
  }
  block.textContent = lines.slice(0, FOLDED).join("\n");
  const more = button(`Show all ${lines.length} lines`, () => {
    block.textContent = whole;
    more.remove();
    block.focus();
  });
  more.className = "link";
  return [block, more];
}

function preview(shown, decided) {
  switch (shown?.preview) {
    case "difference":
      return [h("h4", {}, decided ? "What was shown to change" : "What would change"), h("pre", { class: "diff", tabindex: "0" }, differenceLines(exactLines(shown.text)))];
    case "copy":
      return h("p", {}, "Copies ", h("code", { text: exact(shown.source) }), " out of the vault to ", h("code", { text: exact(shown.destination) }), `, ${bytes(shown.bytes)}.`);
    case "send":
      return h("p", {}, "Sends up to ", bytes(shown.bytes), " to ", h("strong", { text: exact(shown.host) }), ".");
    case "unknown":
      return h("p", { class: "warning" }, `What would happen could not be found out: ${exact(shown.reason)}`);
    default:
      return null;
  }
}

/** The question with every answer there is. */
function asking(call, answer) {
  const asked = call.question;
  const heading = identifier("question");
  const problem = h("p", { class: "problem", role: "alert" });
  const card = h("section", { class: "question", "aria-labelledby": heading });
  const give = async (given) => {
    problem.textContent = "";
    card.querySelectorAll("button").forEach((one) => (one.disabled = true));
    try {
      await answer(call, given);
    } catch (error) {
      problem.textContent = error.message;
      card.querySelectorAll("button").forEach((one) => (one.disabled = false));
    }
  };
  const longer = asked.scope !== "" && asked.impact !== "vault";
  append(card, [
    h("h3", { id: heading }, "May ", h("code", { text: exact(call.name) }), " run?"),
    h("p", {}, `Why it is asked: ${exact(asked.reason)}. `, h("span", { class: "quiet" }, `${exact(call.component ?? "A component")} would run it, which ${IMPACTS[asked.impact] ?? exact(asked.impact)}.`)),
    preview(asked.preview),
    h("details", { class: "arguments", open: asked.preview?.preview !== "difference" }, h("summary", {}, "Arguments, exactly"), h("pre", { class: "plain", tabindex: "0", text: pretty(call.arguments) })),
    problem,
    h(
      "div",
      { class: "answers" },
      button("Allow once", () => give({ answer: "once" }), { class: "primary" }),
      longer && button("For this session…", () => askScope("For this session", asked, false, give)),
      longer && button("Always…", () => askScope("From now on", asked, true, give)),
      button("Edit…", () => askArguments(call, give)),
      button("Deny…", () => askReason(give), { class: "danger" }),
    ),
    !longer && h("p", { class: "help" }, "A call like this is approved each time."),
  ]);
  return card;
}

async function askScope(title, asked, always, give) {
  const calls = h("input", { name: "calls", value: asked.scope, required: true, autocomplete: "off", spellcheck: "false" });
  const days = h("input", { name: "days", type: "number", min: "1", max: "3650", placeholder: "never" });
  const values = await ask(
    title,
    [
      h("p", {}, "Calls that fit this pattern run without asking."),
      field("Which calls", calls, "Such as file_write(/shared/notes/**) or web_fetch(example.com)."),
      always && field("Ends after days", days, "Empty: it holds until you take it back under Settings, Rules."),
    ],
    "Allow",
  );
  if (!values) return;
  const given = { answer: always ? "always" : "session" };
  if (values.calls.trim() && values.calls !== asked.scope) given.calls = values.calls.trim();
  if (always && values.days) given.days = Number(values.days);
  await give(given);
}

async function askArguments(call, give) {
  let text = call.arguments;
  try {
    text = JSON.stringify(JSON.parse(call.arguments), null, 2);
  } catch {
    // As the model wrote them.
  }
  const area = h("textarea", { name: "arguments", rows: "12", class: "code-area", spellcheck: "false", value: text });
  area.addEventListener("input", () => {
    try {
      JSON.parse(area.value);
      area.setCustomValidity("");
    } catch (error) {
      area.setCustomValidity(`This is no JSON: ${error.message}`);
    }
  });
  const values = await ask("Run it with other arguments", field("Arguments as JSON", area), "Run");
  if (values) await give({ answer: "edit", arguments: values.arguments });
}

async function askReason(give) {
  const reason = h("input", { name: "reason", autocomplete: "off", placeholder: "optional" });
  const values = await ask("Deny this call", field("Why", reason, "The model reads it."), "Deny", "danger");
  if (values) await give(values.reason.trim() ? { answer: "deny", reason: values.reason.trim() } : { answer: "deny" });
}
