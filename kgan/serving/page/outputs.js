/** What a model answered, drawn by what it is. */

import { rounded } from "./card.js";
import { el } from "./dom.js";
import { described, kindOf } from "./kinds.js";
import { drawn } from "./pictures.js";
import { rateOf, wav } from "./sounds.js";

const ROWS = 100; // of a table at most
const COLUMNS = 24;
const DRAWN = { images, texts, text: (value) => texts([value]), files, sounds, points };

/** All outputs of a signature under their names.
 * @param {import("./server.js").Model} model
 * @param {string} signature
 * @param {Object<string, *>} outputs */
export function answer(model, signature, outputs) {
  const specs = model.signatures[signature].outputs;
  const drawing = Object.entries(outputs).map(([name, value]) => {
    const draw = value?.length === 0 ? () => el("p", { class: "quiet" }, "empty") : (DRAWN[kindOf(specs[name], name)] ?? numbers);
    return el(
      "section",
      { class: "output" },
      el("h3", {}, name, " ", el("small", { class: "quiet" }, described(specs[name]))),
      draw(value, model),
    );
  });
  return el("div", { class: "outputs" }, ...drawing);
}

function images(all) {
  return el("div", { class: "gallery" }, ...all.map((image, i) => drawn(image, `Image ${i + 1} of ${all.length}`)));
}

/** Sentences, each with its own line ends. */
export function texts(all) {
  const said = (text) => (typeof text === "string" ? text : JSON.stringify(text));
  return el("ol", { class: "texts" }, ...all.flat(Infinity).map((text) => el("li", { dir: "auto" }, said(text))));
}

/** Bytes in base 64: PNG and JPEG are shown, of others it is said how many there are. */
function files(all) {
  const kinds = { iVBORw0KGgo: "image/png", "/9j/": "image/jpeg" };
  const drawing = ({ b64 }, i) => {
    const start = Object.keys(kinds).find((first) => b64.startsWith(first));
    if (!start) return el("p", {}, `${Math.floor((b64.replace(/=+$/, "").length * 3) / 4)} bytes: ${b64.slice(0, 60)}…`);
    return el("img", { src: `data:${kinds[start]};base64,${b64}`, alt: `Image ${i + 1} of ${all.length}` });
  };
  return el("div", { class: "gallery" }, ...[all].flat(Infinity).map(drawing));
}

function sounds(all, model) {
  const player = (samples, i) => {
    const source = URL.createObjectURL(wav(samples, rateOf(model)));
    return el("audio", { controls: true, src: source, "aria-label": `Sound ${i + 1} of ${all.length}` });
  };
  return el("div", { class: "stack" }, ...all.map(player));
}

function points(all) {
  const size = 320;
  const canvas = el("canvas", { class: "plot", width: size, height: size, role: "img" });
  canvas.setAttribute("aria-label", `${all.length} points in the plane`);
  const reach = 1.1 * all.reduce((most, [x, y]) => Math.max(most, Math.abs(x), Math.abs(y)), 1e-6);
  const context = canvas.getContext("2d");
  context.fillStyle = "#2a8a80";
  for (const [x, y] of all) {
    context.beginPath();
    context.arc((size / 2) * (1 + x / reach), (size / 2) * (1 - y / reach), 2.5, 0, 7);
    context.fill();
  }
  return el("div", {}, canvas, el("p", { class: "quiet" }, `both axes from ${rounded(-reach)} to ${rounded(reach)}`));
}

/** A table of rows; of more than two axes, the numbers as JSON. */
function numbers(value) {
  const rows = Array.isArray(value) ? value.map((row) => (Array.isArray(row) ? row : [row])) : [[value]];
  if (rows.some((row) => row.some(Array.isArray))) {
    return el("pre", { tabindex: "0", "aria-label": "numbers" }, JSON.stringify(value).slice(0, 20_000));
  }
  const cells = (row) => row.slice(0, COLUMNS).map((cell) => el("td", { class: "number", title: cell }, rounded(cell)));
  const body = rows.slice(0, ROWS).map((row, i) => el("tr", {}, el("th", { scope: "row" }, `${i + 1}`), ...cells(row)));
  const width = rows[0]?.length ?? 0;
  const more = rows.length > ROWS || width > COLUMNS;
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "numbers" },
    el("table", {}, el("tbody", {}, ...body)),
    more && el("p", { class: "quiet" }, `of ${rows.length} rows and ${width} columns, the first`),
  );
}
