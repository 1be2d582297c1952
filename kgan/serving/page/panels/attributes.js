/** Attribute editing: a slider for each attribute, all at once, on one photo. */

import { button, el, field, slider } from "../dom.js";
import { first, takes } from "../kinds.js";
import { latestOnly } from "../latest.js";
import { short } from "../maths.js";
import { picture, show } from "../pictures.js";
import { source } from "../source.js";

export const name = "attributes";
export const title = "Change attributes";

const STEPS = 30; // of the search for the photo's code

/** `directions` of tags, with `project` and `decode` to go along them from a photo. */
export function suits({ about, signatures: { directions, project, decode } }) {
  return takes(directions, "tags") && Boolean(about.options?.tags?.length && project && first(decode?.inputs, "codes"));
}

/** @param {import("../panels.js").Context} context */
export function build(context) {
  const { model, ask } = context;
  const { tags } = model.about.options;
  const { decode, directions, project } = model.signatures;
  const key = first(decode.inputs, "codes");
  const [photo, result] = [picture("The photo"), picture("The photo with other attributes", "picture large")];
  let [start, along] = [null, null];

  const redraw = latestOnly(async () => {
    if (!start || !along) return;
    const strengths = sliders.map(({ input }) => input.valueAsNumber);
    const rows = along[kind.value];
    const code = start.map((value, i) => short(value + strengths.reduce((sum, s, k) => sum + s * rows[k][i], 0)));
    const answer = await ask("decode", { [key]: [code] });
    if (answer) show(result, answer[first(decode.outputs, "images")][0]);
  });
  const begin = latestOnly(async (image) => {
    show(photo, image);
    const usual = { images: [image], steps: STEPS };
    const inputs = Object.fromEntries(Object.keys(project.inputs).map((input) => [input, usual[input] ?? 0]));
    const answer = await ask("project", inputs, { quiet: true });
    along ??= await ask("directions", { tags }, { quiet: true });
    if (!answer) return;
    start = answer[first(project.outputs, "codes")][0];
    redraw();
  });
  const sliders = tags.map((tag) =>
    slider(tag.split("=").at(-1), { min: -2, max: 2, step: 0.1, value: 0 }, () => redraw(), (value) => value.toFixed(1)),
  );
  const kinds = { plain: "as they come, with what goes along", decorrelated: "each by itself" };
  const options = Object.keys(directions.outputs).map((option) => el("option", { value: option }, kinds[option] ?? option));
  const kind = el("select", { onchange: () => redraw() }, ...options);
  return el(
    "div",
    { class: "split" },
    el("div", { class: "stage stays" }, result, el("figure", {}, photo, el("figcaption", {}, "The photo"))),
    el(
      "div",
      { class: "stack" },
      source(context, project.inputs.images.shape.slice(1), (image) => begin(image)),
      field("Attributes", kind),
      ...kindsOf(tags).map(([of, places]) => group(of, places.map((i) => sliders[i].node))),
      el("div", { class: "row" }, button("As it was", () => (sliders.forEach(({ set }) => set(0)), redraw()))),
    ),
  );
}

/** Where the tags of each kind are: "hair=red" is of the kind hair, and "glasses" stands by itself.
 * @returns {[string, number[]][]} */
function kindsOf(tags) {
  const places = new Map();
  tags.forEach((tag, i) => {
    const kind = tag.includes("=") ? tag.split("=")[0] : "";
    places.set(kind, [...(places.get(kind) ?? []), i]);
  });
  return [...places];
}

function group(kind, nodes) {
  const title = kind.replaceAll("_", " ") || "with or without";
  return el("fieldset", {}, el("legend", {}, title), el("div", { class: "sliders narrow" }, ...nodes));
}
