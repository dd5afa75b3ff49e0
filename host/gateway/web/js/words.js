// Numbers, times and sizes as people read them.

/** `12,345`. */
export function count(number) {
  return new Intl.NumberFormat().format(number);
}

/** `12.3k`. */
export function short(number) {
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(number);
}

/** `$0.0125`; `cost unknown` where nobody knows it. */
export function money(dollars) {
  if (dollars === undefined || dollars === null) return "cost unknown";
  const number = Number(dollars);
  if (number === 0) return "$0";
  const places = number < 0.01 ? 6 : number < 1 ? 4 : 2;
  return `$${number.toFixed(places)}`;
}

/** `1.2 s`. */
export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60 ? `${minutes} min ${Math.floor((ms % 60_000) / 1000)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `1.5 MB`. */
export function bytes(size) {
  if (size < 1000) return `${size} bytes`;
  const units = ["kB", "MB", "GB"];
  let value = size;
  let unit = -1;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** The day and the minute here. */
export function moment(ms) {
  return new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}

/** `3 min ago`. */
export function ago(ms, now = Date.now()) {
  const seconds = Math.max(0, (now - ms) / 1000);
  if (seconds < 60) return "just now";
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  if (seconds < 7 * 86_400) return `${Math.floor(seconds / 86_400)} d ago`;
  return new Date(ms).toLocaleDateString();
}

/**
 * Text of others on one line of ours: what would turn the line round, move in it or hide in it is
 * shown by its number.
 */
export function exact(text) {
  return String(text).replace(HIDDEN, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

/** What moves, turns or hides text; a joiner inside a picture of several does none of it. */
const HIDDEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b\u200c\u200e\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]|(?<!\p{Extended_Pictographic}\ufe0f?)\u200d|\u200d(?!\p{Extended_Pictographic})/gu;

/** The same for a text of several lines. */
export function exactLines(text) {
  return String(text)
    .split("\n")
    .map((line) => line.split("\t").map(exact).join("\t"))
    .join("\n");
}

/** At most so many characters, and a mark that there were more. */
export function cut(text, most) {
  const characters = Array.from(String(text).slice(0, most * 2 + 2));
  if (characters.length <= most && text.length <= most * 2 + 2) return String(text);
  return `${characters.slice(0, most).join("")}…`;
}
