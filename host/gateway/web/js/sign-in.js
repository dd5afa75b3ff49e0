// Who is there: a link with a code that is good once gives this browser a cookie that no script
// reads. Here is only what a person without one can do.

import { field, h, replace } from "./dom.js";

/** Where a code is taken. */
const ENTER = "/login";

/** What a browser reads whose link was no good. */
const USED = "This link was used already or is too old. `hydroid web` makes another.";

/** Goes in with a code; with a token, a code is asked for first. */
async function enter(given) {
  if (!given.startsWith("hyd_")) {
    location.assign(`${ENTER}?code=${encodeURIComponent(given)}`);
    return;
  }
  const response = await fetch("/api/v1/login-codes", { method: "POST", headers: { authorization: `Bearer ${given}` }, credentials: "omit", cache: "no-store" });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error?.message ?? `The host refused (${response.status}).`);
  location.assign(`${ENTER}?code=${encodeURIComponent(answer.code)}`);
}

/** Takes this browser's cookie back. */
export async function signOut() {
  await fetch("/logout", { method: "POST", credentials: "same-origin" }).catch(() => {});
  location.replace("/");
}

/** Asks who is there. */
export function signInPage(page) {
  document.title = "Sign in · Hydroid";
  const given = h("input", { type: "password", required: true, autocomplete: "off", spellcheck: "false" });
  const used = new URLSearchParams(location.search).get("link") === "used";
  const said = h("p", { class: "problem", role: "alert" }, used ? USED : "");
  const form = h(
    "form",
    { class: "stack" },
    field("Code or token", given, h("span", {}, "On the host's machine, ", h("code", {}, "hydroid web"), " opens this page with a code that is good once.")),
    said,
    h("div", { class: "actions left" }, h("button", { type: "submit", class: "primary" }, "Sign in")),
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    said.textContent = "";
    try {
      await enter(given.value.trim());
    } catch (error) {
      said.textContent = error.message;
    }
  });
  replace(page, h("main", { id: "main", class: "sign-in" }, h("h1", {}, "Hydroid"), form));
  given.focus();
}
