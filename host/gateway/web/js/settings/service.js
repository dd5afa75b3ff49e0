// The form that lets a service answer: which, where, its key, its model. The key goes straight to
// the secrets and is not kept here.

import { field, h, identifier, replace } from "../dom.js";
import { administer, spoken } from "../administration.js";
import { exact, short } from "../words.js";
import { problem } from "./waiting.js";

/** The form. `options.done(said, service)` is called when everything was written. */
export function serviceForm(services, options) {
  const listed = [...services].sort((a, b) => Number(b.in_use) - Number(a.in_use) || a.title.localeCompare(b.title));
  const choose = h("select", { required: true, onchange: () => chosen() }, h("option", { value: "" }, "Choose a service"), listed.map((service) => h("option", { value: service.name }, `${exact(service.title)}${service.local ? " (this machine)" : ""}${service.in_use ? " — in use" : ""}`)));
  const more = h("div");
  const said = h("div", { "aria-live": "polite" });
  const form = h("form", { class: "stack" }, field("Service", choose, "If yours is not in the list and speaks OpenAI's chat completions, take OpenAI and give its address."), more, said);
  let parts = null;

  const chosen = () => {
    const service = listed.find((one) => one.name === choose.value);
    replace(said);
    if (!service) {
      parts = null;
      replace(more);
      return;
    }
    const list = identifier("models");
    const open = /[{}]/.test(service.url);
    const url = h("input", { type: "url", value: service.url, autocomplete: "off", spellcheck: "false", required: true });
    const key = h("input", { type: "password", autocomplete: "off", spellcheck: "false", placeholder: service.secret_is_set ? "unchanged" : "", required: Boolean(service.secret) && !service.secret_is_set && !service.local });
    const model = h("input", { required: true, list, autocomplete: "off", spellcheck: "false" });
    const models = h("datalist", { id: list });
    parts = { service, url, key, model };
    replace(
      more,
      field("Address", url, open ? "Put your own text in place of the braces." : "Change it only if yours is elsewhere."),
      service.secret && field("Key", key, service.secret_is_set ? `The secret ${service.secret} is set. Leave this empty to keep it.` : `It is stored sealed as the secret ${service.secret}; the host adds it when a request is sent, and no component reads it.`),
      field("Model", model, "As the service calls it."),
      models,
      h("div", { class: "actions" }, h("button", { type: "submit", class: "primary" }, options.accept)),
    );
    suggest(service, models);
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!parts) return;
    const { service, url, key, model } = parts;
    const on = form.querySelector("button[type=submit]");
    on.disabled = true;
    replace(said, h("p", { class: "quiet" }, "Writing…"));
    try {
      const value = key.value;
      const added = await administer("add_provider", {
        name: service.name,
        url: url.value.trim() === service.url ? null : url.value.trim(),
        model: model.value.trim(),
        no_secret: Boolean(service.secret) && !service.secret_is_set && value === "",
      });
      if (!added.ok) throw new Error(spoken(added));
      if (service.secret && value) {
        await administer("set_secret", { name: service.secret, value });
        key.value = "";
        key.placeholder = "unchanged";
        service.secret_is_set = true;
      }
      replace(said);
      await options.done(spoken(added), service, said);
    } catch (error) {
      replace(said, problem(error.message));
    } finally {
      on.disabled = false;
    }
  });
  return form;
}

/** Models of the catalog that the service may have; a name that is not in it may be typed all the same. */
async function suggest(service, list) {
  try {
    const known = await administer("models", { provider: service.name });
    replace(list, known.slice(0, 300).map((model) => h("option", { value: model.id }, model.context ? `context ${short(model.context)}` : "")));
  } catch {
    // The catalog calls it otherwise.
  }
}
