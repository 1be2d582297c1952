/** Captions: type, and see what they say. */

import { button, el, field } from "../dom.js";
import { first, kindOf } from "../kinds.js";
import { latestOnly } from "../latest.js";
import { anySeed } from "../maths.js";
import { drawn, picture, show } from "../pictures.js";

export const name = "captions";
export const title = "Type a caption";

const KEPT = 12; // images of captions tried before

/** `generate` of captions and a seed. */
export function suits({ signatures: { generate } }) {
  if (!generate || !first(generate.inputs, "texts") || !first(generate.outputs, "images")) return false;
  return Object.values(generate.inputs).every((spec) => ["texts", "number"].includes(kindOf(spec)));
}

/** @param {import("../panels.js").Context} context */
export function build({ model, ask }) {
  const { inputs, outputs } = model.signatures.generate;
  const key = first(inputs, "texts");
  const images = first(outputs, "images");
  const { words = [], shown = [] } = model.about.options ?? {};
  let seed = 0;

  const main = picture("What the caption says", "picture large");
  const before = el("div", { class: "gallery picks" });
  const control = el("input", { type: "text", class: "wide", dir: "auto", spellcheck: "false", oninput: () => redraw() });
  control.value = shown[0] ?? words.slice(0, 2).join(" ");

  const redraw = latestOnly(async () => {
    const caption = control.value;
    const given = Object.keys(inputs).map((input) => [input, input === key ? [caption] : input === "seed" ? seed : 1]);
    const answer = await ask("generate", Object.fromEntries(given));
    if (!answer) return;
    show(main, answer[images][0]);
    main.setAttribute("aria-label", `What is drawn for: ${caption}`);
    latest = { caption, image: answer[images][0] };
  });
  let latest = null;

  const write = (caption) => {
    control.value = caption;
    control.focus();
    redraw();
  };
  const keep = () => {
    if (!latest) return;
    const { caption, image } = latest;
    const label = el("span", {}, caption);
    before.prepend(button(drawn(image, ""), () => write(caption), { class: "pick", title: caption }));
    before.firstChild.append(label);
    while (before.children.length > KEPT) before.lastChild.remove();
  };
  /** The word where the cursor is becomes this one. */
  const put = (word) => {
    const at = control.selectionStart ?? control.value.length;
    const left = control.value.slice(0, at).replace(/\S*$/, "");
    const right = control.value.slice(at).replace(/^\S*/, "");
    write(left + word + right);
    control.setSelectionRange(left.length, left.length + word.length);
  };
  const chip = (text, act) => el("li", {}, button(text, act, { class: "chip" }));

  redraw();
  return el(
    "div",
    { class: "split" },
    el(
      "div",
      { class: "stage" },
      main,
      el(
        "div",
        { class: "row" },
        button("Keep it", keep),
        "seed" in inputs && button("Other noise", () => ((seed = anySeed()), redraw())),
      ),
    ),
    el(
      "div",
      { class: "stack" },
      field("Caption", control, "The image follows as you type; unknown words are passed over."),
      words.length > 0 && el("h2", {}, "Words it knows"),
      words.length > 0 && el("p", { class: "quiet" }, "One replaces the word at the cursor."),
      el("ul", { class: "chips" }, ...words.slice(0, 60).map((word) => chip(word, () => put(word)))),
      shown.length > 0 && el("h2", {}, "Captions to try"),
      el("ul", { class: "chips" }, ...shown.map((caption) => chip(caption, () => write(caption)))),
      before,
    ),
  );
}
