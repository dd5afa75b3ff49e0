// Elements made by calls, never from text that is parsed as HTML.
// Not a framework: nothing is watched, and who changes an element does it by hand.

const SVG = "http://www.w3.org/2000/svg";

/**
 * An element with its attributes and children. `class`, `text` and `on…` are what they look like;
 * a child that is `null`, `undefined` or `false` is left out.
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "disabled") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  append(element, children);
  return element;
}

/** Appends children, lists of them too. */
export function append(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child);
  }
  return element;
}

/** Replaces what is inside. */
export function replace(element, ...children) {
  element.replaceChildren();
  return append(element, children);
}

/** A sentence of the host's: what stands between backquotes is code. */
export function sentence(text) {
  return String(text)
    .split(/`([^`\n]{1,300})`/)
    .map((part, at) => (at % 2 === 1 ? h("code", { text: part }) : part));
}

/** A button with a word on it. */
export function button(text, onclick, attributes = {}) {
  return h("button", { type: "button", onclick, ...attributes }, text);
}

/** A label with its field. */
export function field(label, control, help) {
  const id = control.id || identifier("field");
  control.id = id;
  const parts = [h("label", { for: id }, label), control];
  if (help) {
    const helpId = `${id}-help`;
    control.setAttribute("aria-describedby", helpId);
    parts.push(h("p", { class: "help", id: helpId }, help));
  }
  return h("div", { class: "field" }, parts);
}

let last = 0;

/** An identifier no other element has. */
export function identifier(prefix) {
  last += 1;
  return `${prefix}-${last}`;
}

/** A drawing of one path, in the colour of the text. */
export function icon(name) {
  const paths = {
    menu: "M3 6h18M3 12h18M3 18h18",
    plus: "M12 5v14M5 12h14",
    send: "M4 12l16-8-6 16-3-7z",
    stop: "M7 7h10v10H7z",
    clip: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.5 8.5a1.7 1.7 0 0 1-2.4-2.4L14.5 7",
    search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zM15.5 15.5L21 21",
    more: "M5 12h.01M12 12h.01M19 12h.01",
    close: "M6 6l12 12M18 6L6 18",
    gear: "M4 7h10M18 7h2M4 17h2M10 17h10M16 5v4M8 15v4",
    chat: "M4 5h16v11H9l-5 4z",
  };
  return svg(
    "svg",
    { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true", focusable: "false" },
    svg("path", { d: paths[name] }),
  );
}

/** Tells people who do not see the page, and those who do for a while. */
export function announce(text, kind = "info") {
  const region = document.getElementById("announcements");
  if (!region) return;
  const note = h("div", { class: `toast ${kind}` }, h("span", { text }), button("×", () => note.remove(), { "aria-label": "Dismiss" }));
  region.append(note);
  setTimeout(() => note.remove(), kind === "error" ? 15000 : 6000);
}

/**
 * Asks in a dialog and resolves with the form's values, or `null` when it was closed. `body` is
 * what stands above the buttons.
 */
export function ask(title, body, accept = "OK", kind = "") {
  return new Promise((resolve) => {
    const heading = identifier("dialog");
    const form = h("form", { method: "dialog" });
    const dialog = h("dialog", { "aria-labelledby": heading, class: "dialog" }, form);
    append(form, [
      h("h2", { id: heading }, title),
      h("div", { class: "dialog-body" }, body),
      h(
        "div",
        { class: "actions" },
        button("Cancel", () => dialog.close("no")),
        h("button", { type: "submit", value: "yes", class: `primary ${kind}` }, accept),
      ),
    ]);
    dialog.addEventListener("close", () => {
      const values = Object.fromEntries(new FormData(form));
      dialog.remove();
      resolve(dialog.returnValue === "yes" ? values : null);
    });
    document.body.append(dialog);
    dialog.showModal();
    const first = form.querySelector("input, textarea, select");
    if (first) first.focus();
  });
}
