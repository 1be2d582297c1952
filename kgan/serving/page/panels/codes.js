/** Codes of a generator: walk between samples, and drag along the directions in which the image changes most. */

import { button, el, slider } from "../dom.js";
import { first, isInteger, kindOf } from "../kinds.js";
import { latestOnly } from "../latest.js";
import { anySeed, between, codes, moved, orthonormal, short, strongest } from "../maths.js";
import { drawn, picture, show } from "../pictures.js";

export const name = "codes";
export const title = "Walk through codes";

const DIRECTIONS = 6;
const SAMPLES = 12;
const WALK = 1200; // milliseconds from one sample to another
const MOST = 4e5; // numbers in an answer that is only there to find directions
const REST = 400; // milliseconds at rest before they are looked for

/** `decode` of one row of numbers, and of which member of an ensemble draws. */
export function suits({ signatures: { decode } }) {
  if (!decode || !first(decode.inputs, "codes") || !first(decode.outputs, "images")) return false;
  return Object.entries(decode.inputs).every(([input, spec]) => kindOf(spec) === "codes" || isMember(input, spec));
}

function isMember(input, spec) {
  return input === "members" && isInteger(spec);
}

/** @param {import("../panels.js").Context} context */
export function build({ model, ask }) {
  const { inputs, outputs } = model.signatures.decode;
  const key = first(inputs, "codes");
  const images = first(outputs, "images");
  const size = inputs[key].shape[1];
  const pixels = outputs[images].shape.slice(1).reduce((product, side) => product * (side ?? 64), 1);
  const step = Math.min(5, 0.6 * Math.sqrt(size));

  let [start, end] = codes(anySeed(), 2, size);
  let directions = orthonormal(codes(1, Math.min(DIRECTIONS, size), size));
  let member = 0;
  let walk = 0;

  const request = (rows) => ({ [key]: rows.map((row) => row.map(short)), ..."members" in inputs && { members: rows.map(() => member) } });
  const decode = async (rows, options) => (await ask("decode", request(rows), options))?.[images];
  const here = () => between(start, end, way.input.valueAsNumber);
  const chosen = () => moved(here(), directions, sliders.map(({ input }) => step * input.valueAsNumber));

  const main = picture("The image of this code", "picture large");
  const ends = [picture("Where the walk starts", "picture tiny"), picture("Where it ends", "picture tiny")];
  const sheet = el("div", { class: "gallery picks" });

  const redraw = latestOnly(async () => {
    const all = await decode([chosen()]);
    if (all) show(main, all[0]);
  });
  const redrawEnds = latestOnly(async () => {
    const all = await decode([start, end], { quiet: true });
    all?.forEach((image, i) => show(ends[i], image));
  });

  /** What some steps from here do, all coordinates' where that is not too much, and so which few do most. */
  const findDirections = latestOnly(async () => {
    const count = Math.min(size, Math.floor(MOST / pixels) - 1);
    if (count < DIRECTIONS) return;
    const from = here();
    const steps = orthonormal(codes(anySeed(), count, size));
    const rows = [from, ...steps.map((vector) => from.map((value, i) => value + 2 * vector[i]))];
    const all = await decode(rows, { quiet: true });
    if (!all || sliders.some(({ input }) => input.valueAsNumber)) return;
    const [base, ...changed] = all.map((image) => Float32Array.from(image.flat(2)));
    const found = strongest(changed.map((image) => image.map((value, i) => value - base[i])), DIRECTIONS);
    directions = found.map((weights) => steps[0].map((_, i) => weights.reduce((sum, w, k) => sum + w * steps[k][i], 0)));
  });

  let resting = 0;
  const arrive = () => {
    sliders.forEach(({ set }) => set(0));
    clearTimeout(resting);
    resting = setTimeout(findDirections, REST);
  };
  const way = slider("From start to end", { min: 0, max: 1, step: 0.01, value: 0 }, () => redraw());
  way.input.addEventListener("change", arrive);
  const sliders = Array.from({ length: Math.min(DIRECTIONS, size) }, (_, i) =>
    slider(`Direction ${i + 1}`, { min: -1, max: 1, step: 0.02, value: 0 }, () => redraw()),
  );

  const begin = (a, b) => {
    cancelAnimationFrame(walk);
    [start, end] = [a, b];
    way.set(0);
    arrive();
    redrawEnds();
    redraw();
  };
  /** From what is seen now to `to`, at once for those who want no motion. */
  const walkTo = (to) => {
    begin(chosen(), to);
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const began = performance.now();
    const frame = (now) => {
      way.set(still ? 1 : Math.min(1, Math.max(0, (now - began) / WALK)));
      redraw();
      if (way.input.valueAsNumber < 1) walk = requestAnimationFrame(frame);
      else arrive();
    };
    walk = requestAnimationFrame(frame);
  };
  const fillSheet = latestOnly(async () => {
    const rows = codes(anySeed(), SAMPLES, size);
    const all = await decode(rows, { quiet: true });
    const pick = (image, i) =>
      button(drawn(image, ""), () => walkTo(rows[i]), { class: "pick", "aria-label": `Walk to sample ${i + 1}` });
    if (all) sheet.replaceChildren(...all.map(pick));
  });

  const members = "members" in inputs &&
    slider("Member of the ensemble", { min: 0, max: 7, step: 1, value: 0 }, (value) => {
      member = value;
      redraw();
    }, String);

  begin(start, end);
  fillSheet();
  return el(
    "div",
    { class: "split" },
    el(
      "div",
      { class: "stage" },
      main,
      el("div", { class: "walk" }, ends[0], way.node, ends[1]),
      el(
        "div",
        { class: "row" },
        button("New start", () => begin(codes(anySeed(), 1, size)[0], end)),
        button("New end", () => begin(start, codes(anySeed(), 1, size)[0])),
        button("Walk", () => walkTo(way.input.valueAsNumber < 1 ? end : codes(anySeed(), 1, size)[0])),
      ),
    ),
    el(
      "div",
      { class: "stack" },
      el("h2", {}, "Change it"),
      el("p", { class: "quiet" }, "The directions of the code in which this image changes most, found again wherever you stop."),
      members && members.node,
      el("div", { class: "sliders" }, ...sliders.map(({ node }) => node)),
      el("div", { class: "row" }, button("Back to the middle", () => (sliders.forEach(({ set }) => set(0)), redraw()))),
      el("h2", {}, "Walk to another"),
      sheet,
      el("div", { class: "row" }, button("Other samples", () => fillSheet())),
    ),
  );
}
