/** Where an image to work on comes from: a file of one's own, or the model itself. */

import { button, el, field } from "./dom.js";
import { fileOf } from "./inputs.js";
import { first } from "./kinds.js";
import { latestOnly } from "./latest.js";
import { anySeed } from "./maths.js";
import { readPhoto } from "./pictures.js";

/**
 * Buttons to choose a photo or take a sample; if the model can draw, a sample is taken at once.
 * @param {import("./panels.js").Context} context
 * @param {number[]} shape [H, W, C]
 * @param {function(number[][][]): void} use
 */
export function source({ model, ask, refuse }, shape, use) {
  const { generate } = model.signatures;
  const draws = generate && first(generate.outputs, "images") && "count" in generate.inputs;
  const photo = fileOf("image/*", async (file) => use(await readPhoto(file, shape)), refuse);
  const sample = latestOnly(async () => {
    const answer = await ask("generate", { seed: anySeed(), count: 1 }, { quiet: true });
    if (answer) use(answer[first(generate.outputs, "images")][0]);
  });
  if (draws) sample();
  return el("div", { class: "row" }, field("Your own image", photo), draws && button("One of the model's", () => sample()));
}
