/** Photo editing: paint on a photo what it is to show, and the generator finds an image that shows it. */

import { el, slider } from "../dom.js";
import { first, takes } from "../kinds.js";
import { latestOnly } from "../latest.js";
import { painter } from "../painter.js";
import { picture, show } from "../pictures.js";
import { source } from "../source.js";

export const name = "painting";
export const title = "Paint on a photo";

/** `edit` of images by what is painted on them. */
export function suits({ signatures: { edit } }) {
  return takes(edit, "images", "constraints", "steps", "proximity", "realism");
}

/** @param {import("../panels.js").Context} context */
export function build(context) {
  const { model, ask } = context;
  const { inputs, outputs } = model.signatures.edit;
  const shape = inputs.images.shape.slice(1);
  const found = [
    ["carried", "Your photo, changed"],
    ["images", "As the generator draws it"],
    ["reconstructions", "As it drew it before"],
  ].filter(([output]) => output in outputs).map(([output, label]) => [output, label, picture(label)]);

  const edit = latestOnly(async () => {
    const answer = await ask("edit", {
      images: [easel.image()],
      constraints: [easel.paint()],
      steps: steps.input.valueAsNumber,
      proximity: proximity.input.valueAsNumber,
      realism: realism.input.valueAsNumber,
    });
    if (answer) for (const [output, , canvas] of found) show(canvas, answer[output][0]);
  });
  const easel = painter({ shape, colour: "#d0302a", size: Math.max(2, Math.round(shape[1] / 12)), onpaint: () => edit() });
  const control = (label, range, say) => slider(label, range, () => edit(), say);
  const steps = control("Steps of the search", { min: 0, max: 100, step: 5, value: 20 }, String);
  const proximity = control("Stay near the photo", { min: 0, max: 0.05, step: 0.001, value: 0.005 }, (v) => v.toFixed(3));
  const realism = control("Stay like the data", { min: 0, max: 0.1, step: 0.005, value: 0.02 }, (v) => v.toFixed(3));
  const use = (image) => {
    easel.clear();
    easel.setImage(image);
    edit();
  };
  return el(
    "div",
    { class: "split" },
    el("div", { class: "stage" }, easel.node),
    el(
      "div",
      { class: "stack" },
      source(context, shape, use),
      el("div", { class: "gallery results" }, ...found.map(([, label, canvas]) =>
        el("figure", {}, canvas, el("figcaption", {}, label)))),
      el("div", { class: "sliders" }, steps.node, proximity.node, realism.node),
    ),
  );
}
