/** Autoencoders: draw or choose an image, see it come back, and turn the numbers of its code. */

import { button, el, slider } from "../dom.js";
import { first, takes } from "../kinds.js";
import { latestOnly } from "../latest.js";
import { painter } from "../painter.js";
import { picture, show } from "../pictures.js";
import { source } from "../source.js";

export const name = "reconstruction";
export const title = "Draw, and see it come back";

const SHOWN = 24; // numbers of a code at most
const RANGE = 4; // of their sliders, more where a code asks for more

/** `encode` of images and `decode` of what it gives. */
export function suits({ signatures: { encode, decode, edit } }) {
  const isPair = takes(encode, "images") && first(encode.outputs, "codes") && first(decode?.outputs, "images");
  return Boolean(isPair) && takes(decode, first(decode.inputs, "codes")) && !edit;
}

/** @param {import("../panels.js").Context} context */
export function build(context) {
  const { model, ask } = context;
  const { encode, decode } = model.signatures;
  const shape = encode.inputs.images.shape.slice(1);
  const key = first(decode.inputs, "codes");
  const result = picture("What comes back", "picture large");
  let found = null;

  const redraw = latestOnly(async () => {
    if (!found) return;
    const code = found.map((value, i) => sliders[i]?.input.valueAsNumber ?? value);
    const answer = await ask("decode", { [key]: [code] });
    if (answer) show(result, answer[first(decode.outputs, "images")][0]);
  });
  const read = latestOnly(async () => {
    const answer = await ask("encode", { images: [easel.both()] });
    if (!answer) return;
    [found] = answer[first(encode.outputs, "codes")];
    reset();
  });
  const reset = () => {
    found?.forEach((value, i) => {
      if (!sliders[i]) return;
      const { input, set } = sliders[i];
      input.max = Math.max(RANGE, Math.ceil(Math.abs(value)));
      input.min = -input.max;
      set(value);
    });
    redraw();
  };
  const easel = painter({ shape, colour: "#ffffff", size: Math.max(2, Math.round(shape[1] / 12)), onpaint: () => read() });
  const size = decode.inputs[key].shape[1];
  const sliders = Array.from({ length: Math.min(SHOWN, size) }, (_, i) =>
    slider(`${i + 1}`, { min: -RANGE, max: RANGE, step: 0.01, value: 0 }, () => redraw()),
  );
  const use = (image) => {
    easel.clear();
    easel.setImage(image);
    read();
  };
  return el(
    "div",
    { class: "stack" },
    source(context, shape, use),
    el(
      "div",
      { class: "pair" },
      el("section", { class: "stack" }, el("h2", {}, "Draw on it"), easel.node),
      el("section", { class: "stack" }, el("h2", {}, "What comes back"), result),
    ),
    el("h2", {}, "Its code"),
    el("p", { class: "quiet" }, size > SHOWN ? `The first ${SHOWN} of ${size} numbers.` : "Turn a number, and see."),
    el("div", { class: "sliders narrow" }, ...sliders.map(({ node }) => node)),
    el("div", { class: "row" }, button("As it was read", reset)),
  );
}
