// The page: who is there, which place is shown, and how one gets from one to another.

import { button, h, icon, replace } from "./dom.js";
import { Chat } from "./chat.js";
import { Household } from "./household.js";
import { Settings } from "./settings.js";
import { Setup } from "./setup.js";
import { Sidebar } from "./sidebar.js";
import { signInPage, signOut } from "./sign-in.js";

const page = document.getElementById("page");

function build() {
  const address = new URL("/api/v1/socket", location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const household = new Household(address.href);
  const sidebar = new Sidebar(household);
  const chat = new Chat(household);
  const settings = new Settings(household);
  const setup = new Setup(household);
  const main = h("main", { id: "main", tabindex: "-1" });
  const lost = h("div", { class: "lost", role: "alert" });
  const menu = button("", () => aside(!document.body.classList.contains("aside-open")), { class: "plain-button menu-button", "aria-label": "Sessions", "aria-controls": "sidebar", "aria-expanded": "false" });
  menu.append(icon("menu"));
  const top = h("header", { class: "top" }, menu, h("a", { href: "#/", class: "brand-name" }, "Hydroid"));
  const shade = h("div", { class: "shade", onclick: () => aside(false) });
  sidebar.element.querySelector(".side-foot").append(button("Sign out", signOut, { class: "quiet-button sign-out" }));

  const aside = (open) => {
    document.body.classList.toggle("aside-open", open);
    menu.setAttribute("aria-expanded", String(open));
    if (open) sidebar.search.focus();
  };

  let shown = null;
  const place = (element) => {
    if (shown === element) return;
    shown = element;
    replace(main, element);
  };
  const route = () => {
    aside(false);
    const [, first = "", second = ""] = location.hash.split("/");
    if (first !== "settings") settings.hide();
    if (first === "settings") {
      household.shown = null;
      place(settings.element);
      settings.show(second);
      sidebar.mark(null);
    } else if (first === "setup") {
      household.shown = null;
      place(setup.element);
      setup.show();
      sidebar.mark(null);
    } else {
      place(chat.element);
      const session = first === "s" && second ? decodeURIComponent(second) : null;
      chat.show(session);
      sidebar.mark(session);
      if (window.matchMedia("(min-width: 800px)").matches) chat.composer.text.focus();
    }
  };

  household.on("link", (state) => {
    lost.hidden = state !== "lost";
    if (state === "lost") replace(lost, h("span", {}, "The connection was lost. It is tried again; nothing is lost. "), button("Try now", () => household.connection.now()));
  });
  household.on("ended", (why) => {
    if (why === "old") {
      replace(page, h("main", { class: "sign-in" }, h("h1", {}, "Hydroid"), h("p", {}, "This page is of another version than the host. Load it again.")));
      return;
    }
    signInPage(page);
  });
  let first = true;
  household.on("welcome", () => {
    if (!first) return;
    first = false;
    firstTime(household);
  });
  window.addEventListener("hashchange", route);
  window.addEventListener("moved", () => sidebar.mark(chat.session));
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (window.matchMedia("(max-width: 799px)").matches) aside(true);
      sidebar.search.focus();
    }
    if (event.key === "Escape" && document.body.classList.contains("aside-open")) {
      aside(false);
      menu.focus();
    }
  });
  lost.hidden = true;
  replace(page, top, h("div", { class: "frame" }, sidebar.element, shade, main), lost);
  route();
  household.connection.open();
}

/** A household in which nothing was said and nothing was set up begins with the set-up. */
async function firstTime(household) {
  if (location.hash.length > 2 || !household.administers) return;
  if (household.defaults.provider !== "provider-rehearsal") return;
  const reply = await household.request("sessions", { limit: 1 }).catch(() => null);
  if (reply && reply.sessions.length === 0 && location.hash.length <= 2) location.hash = "#/setup";
}

build();
