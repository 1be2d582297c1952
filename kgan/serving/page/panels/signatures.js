/** Any signature of any model: a form made from its inputs, and its outputs drawn by what they are. */

import { el, field } from "../dom.js";
import { input } from "../inputs.js";
import { latestOnly } from "../latest.js";
import { answer } from "../outputs.js";

export const name = "signatures";
export const title = "Every signature";

/** All of them. */
export function suits() {
  return true;
}

/** @param {import("../panels.js").Context} context */
export function build({ model, ask, refuse }) {
  const names = Object.keys(model.signatures);
  if (!names.length) return el("p", {}, "This model says of none of its signatures what it takes: export it with kgan.");
  const place = el("div", {});
  const choice = el("select", {}, ...names.map((signature) => el("option", {}, signature)));
  const open = () => place.replaceChildren(form(model, choice.value, ask, refuse));
  choice.value = names.includes(model.about.serving_default) ? model.about.serving_default : names[0];
  choice.addEventListener("change", open);
  open();
  return el("div", { class: "stack" }, field("Signature", choice), place);
}

function form(model, signature, ask, refuse) {
  const specs = Object.entries(model.signatures[signature].inputs);
  const inputs = specs.map(([key, spec]) => [key, input(key, spec, model, refuse)]);
  const place = el("div", { "aria-live": "polite" });
  const send = latestOnly(async () => {
    try {
      const given = Object.fromEntries(inputs.map(([key, { read }]) => [key, read()]));
      const outputs = await ask(signature, given);
      if (outputs) place.replaceChildren(answer(model, signature, outputs));
    } catch (error) {
      refuse(error);
    }
  });
  const onsubmit = (event) => {
    event.preventDefault();
    send();
  };
  return el(
    "form",
    { class: "stack", onsubmit, novalidate: true },
    ...inputs.map(([, { node }]) => node),
    el("div", { class: "row" }, el("button", { type: "submit", class: "primary" }, `Ask ${signature}`)),
    place,
  );
}
