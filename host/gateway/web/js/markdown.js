// Markdown of others as elements: made by markdown-it, cleaned by DOMPurify, then gone through once
// more here. Nothing in it runs, and nothing is fetched from elsewhere: a picture of another place
// becomes a button that says where it is.

import MarkdownIt from "../vendor/markdown-it.js";
import DOMPurify from "../vendor/purify.js";
import { h } from "./dom.js";

const markdown = new MarkdownIt({ html: false, linkify: true, breaks: false, typographer: false });

/** Texts longer than this are shown as they are: they were not written to be read as Markdown. */
const LONGEST = 400_000;

const ALLOWED = {
  ALLOWED_TAGS: [
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "img",
    "li", "ol", "p", "pre", "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
  ],
  ALLOWED_ATTR: ["alt", "class", "href", "src", "start", "title"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|data:image\/(?:png|jpeg|gif|webp);)/i,
  RETURN_DOM_FRAGMENT: true,
};

/** The text as a fragment that may be put into the page. */
export function render(text) {
  if (text.length > LONGEST) {
    const fragment = document.createDocumentFragment();
    fragment.append(h("pre", { class: "plain", text }));
    return fragment;
  }
  const fragment = DOMPurify.sanitize(markdown.render(text), ALLOWED);
  for (const image of fragment.querySelectorAll("img")) image.replaceWith(picture(image));
  for (const link of fragment.querySelectorAll("a")) dress(link);
  for (const block of fragment.querySelectorAll("pre")) copyable(block);
  for (const table of fragment.querySelectorAll("table")) {
    const wide = h("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Table" });
    table.replaceWith(wide);
    wide.append(table);
  }
  for (const heading of fragment.querySelectorAll("h1, h2, h3, h4, h5, h6")) lower(heading);
  return fragment;
}

/** Headings of a message stand below those of the page. */
function lower(heading) {
  const level = Math.min(6, Number(heading.tagName.slice(1)) + 2);
  const lowered = h(`h${level}`, { class: `as-${heading.tagName.toLowerCase()}` });
  lowered.append(...heading.childNodes);
  heading.replaceWith(lowered);
}

function dress(link) {
  const address = link.getAttribute("href");
  if (!address) {
    link.replaceWith(...link.childNodes);
    return;
  }
  link.setAttribute("rel", "noopener noreferrer nofollow");
  link.setAttribute("target", "_blank");
  // Where it leads is seen, whatever it says.
  link.setAttribute("title", address);
}

function picture(image) {
  const source = image.getAttribute("src") ?? "";
  const words = image.getAttribute("alt") || "picture";
  if (/^data:image\//i.test(source)) {
    return h("img", { src: source, alt: words, class: "picture", loading: "lazy" });
  }
  let host;
  try {
    const address = new URL(source);
    if (address.protocol !== "https:" && address.protocol !== "http:") throw new Error("no address of a picture");
    host = address.host;
  } catch {
    return h("span", { class: "picture-missing" }, `[${words}]`);
  }
  // A click is the consent; the picture opens beside the page, which itself fetches from nowhere.
  return h(
    "a",
    { class: "picture-elsewhere", href: source, target: "_blank", rel: "noopener noreferrer nofollow", title: source },
    `Picture at ${host}: ${words} — not fetched; open it`,
  );
}

function copyable(block) {
  const code = block.querySelector("code");
  const language = /(?:^|\s)language-([\w+#.-]{1,30})/.exec(code?.className ?? "")?.[1];
  const frame = h("div", { class: "code" });
  block.replaceWith(frame);
  block.setAttribute("tabindex", "0");
  const copy = h("button", { type: "button", class: "copy" }, "Copy");
  copy.addEventListener("click", () => copied(copy, block.textContent ?? ""));
  frame.append(h("div", { class: "code-head" }, h("span", {}, language ?? "text"), copy), block);
  if (code && language) colour(code, language);
}

/** Puts a text on the clipboard and says so on the button. */
export async function copied(on, text) {
  try {
    await navigator.clipboard.writeText(text);
    on.textContent = "Copied";
  } catch {
    on.textContent = "Not allowed";
  }
  setTimeout(() => {
    on.textContent = "Copy";
  }, 2000);
}

const WORDS = new Set(
  ("abstract and as async await bool boolean break case catch char class const continue def default del do double elif else enum " +
    "except export extends extern false final finally float fn for from func function global go goto if impl import in int interface " +
    "is lambda let local long loop match mod module mut new nil none not null object of or package pass pub public private " +
    "protected raise return self short static string struct super switch then this throw trait true try type typeof union unsafe use " +
    "using var void when where while with yield None True False select insert update delete from where join create table echo fi done esac").split(" "),
);

/** Comments with a number sign are those of these. */
const NUMBER_SIGN = new Set(["sh", "bash", "shell", "zsh", "python", "py", "ruby", "rb", "toml", "yaml", "yml", "make", "dockerfile", "r", "perl"]);

/** Words, texts, numbers and comments, of any language; a guess that changes no character. */
function colour(code, language) {
  const text = code.textContent ?? "";
  if (text.length > 50_000 || language === "text") return;
  const name = language.toLowerCase();
  if (name === "diff") {
    code.replaceChildren(...differenceLines(text));
    return;
  }
  const comment = NUMBER_SIGN.has(name) ? "#[^\\n]*" : name === "sql" || name === "lua" ? "--[^\\n]*" : "\\/\\/[^\\n]*|\\/\\*[\\s\\S]*?\\*\\/";
  const pattern = new RegExp(`(${comment})|("(?:[^"\\\\\\n]|\\\\.)*"|'(?:[^'\\\\\\n]|\\\\.)*'|\`[^\`]*\`)|(\\b\\d[\\w.]*\\b)|([A-Za-z_]\\w*)`, "g");
  const parts = [];
  let at = 0;
  for (const found of text.matchAll(pattern)) {
    const kind = found[1] ? "c" : found[2] ? "s" : found[3] ? "n" : WORDS.has(found[4]) ? "k" : "";
    if (!kind) continue;
    parts.push(text.slice(at, found.index), h("span", { class: `hl-${kind}`, text: found[0] }));
    at = found.index + found[0].length;
  }
  parts.push(text.slice(at));
  code.replaceChildren(...parts);
}

/** A difference, line by line. */
export function differenceLines(text) {
  const lines = text.split("\n");
  return lines.map((line, at) => {
    const kind = /^(\+\+\+|---) /.test(line) ? "place" : line.startsWith("+") ? "added" : line.startsWith("-") ? "removed" : line.startsWith("@@") ? "place" : "same";
    return h("span", { class: `line ${kind}`, text: at < lines.length - 1 ? `${line}\n` : line });
  });
}
