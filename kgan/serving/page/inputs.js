/** A control for any input of a signature, by what it is. */

import { button, el, field } from "./dom.js";
import { described, isInteger, kindOf } from "./kinds.js";
import { anySeed, codes } from "./maths.js";
import { blank, picture, readPhoto, show } from "./pictures.js";
import { rateOf, readSound } from "./sounds.js";

const USUAL = { count: 4, steps: 20, draws: 10 };

/**
 * @typedef {{node: HTMLElement, read: function(): *}} Input `read` gives the value, or throws one sentence
 * @param {string} name
 * @param {import("./server.js").Spec} spec
 * @param {import("./server.js").Model} model
 * @param {function(Error): void} refuse shows what is wrong with a file
 * @returns {Input}
 */
export function input(name, spec, model, refuse) {
  const make = { images, sounds, files, number, flag, text, texts }[kindOf(spec, name)] ?? numbers;
  return make(name, spec, model, refuse);
}

function number(name, spec) {
  const control = el("input", {
    type: "number",
    step: isInteger(spec) ? 1 : "any",
    value: USUAL[name] ?? (name === "seed" ? anySeed() : 0),
    required: true,
  });
  const read = () => {
    if (!control.checkValidity()) throw new Error(`${name} is not ${isInteger(spec) ? "a whole" : "a"} number.`);
    return control.valueAsNumber;
  };
  return { node: field(name, control, described(spec)), read };
}

function flag(name, spec) {
  const control = el("input", { type: "checkbox" });
  return { node: field(name, control, described(spec)), read: () => control.checked };
}

function text(name, spec) {
  const control = el("input", { type: "text", dir: "auto" });
  return { node: field(name, control, described(spec)), read: () => control.value };
}

function texts(name, spec, model) {
  const usual = model.about.options?.shown?.slice(0, 2) ?? [];
  const control = el("textarea", { rows: 3, dir: "auto", value: usual.join("\n") });
  const read = () => control.value.split("\n").filter((line) => line.trim());
  return { node: field(name, control, `${described(spec)}, one a line`), read };
}

function numbers(name, spec) {
  const shape = (spec.shape ?? []).map((size) => size ?? 1);
  const isCode = kindOf(spec, name) === "codes";
  const usual = () =>
    isCode ? codes(anySeed(), 1, shape[1]) : filled(shape);
  const control = el("textarea", { rows: 3, spellcheck: "false", class: "code", value: JSON.stringify(usual()) });
  const read = () => {
    try {
      return JSON.parse(control.value);
    } catch (error) {
      throw new Error(`${name} is not JSON: ${error.message}.`);
    }
  };
  const node = field(name, control, `${described(spec)}, as JSON`);
  if (isCode) node.append(button("Draw another", () => (control.value = JSON.stringify(usual()))));
  return { node, read };
}

function filled(shape) {
  return shape.length ? Array.from({ length: shape[0] }, () => filled(shape.slice(1))) : 0;
}

/** A photo of one's own, or nothing at all: black. */
function images(name, spec, model, refuse) {
  const [, height, width, channels] = spec.shape;
  let image = blank(height ?? 64, width ?? 64, channels);
  const shown = picture(name, "picture small");
  show(shown, image);
  const control = fileOf("image/*", async (file) => {
    image = await readPhoto(file, [height, width, channels]);
    show(shown, image);
  }, refuse);
  const node = field(name, control, `${described(spec)}; black until a file is chosen`);
  node.append(shown);
  return { node, read: () => [image] };
}

/** Any file, byte by byte. */
function files(name, spec, model, refuse) {
  let value = { b64: "" };
  const control = fileOf(null, async (file) => {
    const bytes = new Uint8Array(await file.arrayBuffer());
    value = { b64: btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), "")) };
  }, refuse);
  return { node: field(name, control, `${described(spec)}; nothing until a file is chosen`), read: () => wrapped(value, spec) };
}

function wrapped(value, { shape }) {
  return shape.reduce((inner) => [inner], value);
}

function sounds(name, spec, model, refuse) {
  const rate = rateOf(model);
  const length = spec.shape[1] ?? rate;
  let samples = Array(length).fill(0);
  const control = fileOf("audio/*", async (file) => {
    samples = await readSound(file, rate);
    if (spec.shape[1]) samples = Array.from({ length }, (_, i) => samples[i] ?? 0);
  }, refuse);
  return { node: field(name, control, `${described(spec)}; silence until a file is chosen`), read: () => [samples] };
}

/** A control that reads a file as soon as it is chosen. */
export function fileOf(accept, read, refuse) {
  const onchange = ({ target }) => {
    if (target.files[0]) Promise.resolve(read(target.files[0])).catch(refuse);
  };
  return el("input", { type: "file", accept, onchange });
}
