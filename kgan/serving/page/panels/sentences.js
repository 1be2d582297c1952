/** Sentences: write some, and go from one to another through the codes between them. */

import { button, el, field } from "../dom.js";
import { first } from "../kinds.js";
import { latestOnly } from "../latest.js";
import { anySeed, between, codes, short } from "../maths.js";
import { texts } from "../outputs.js";

export const name = "sentences";
export const title = "Write sentences";

const WRITTEN = 8;
const STOPS = 8;

/** `generate` of sentences, or `decode`. */
export function suits({ signatures: { generate, decode } }) {
  return [generate, decode].some((signature) => first(signature?.outputs, "texts"));
}

/** @param {import("../panels.js").Context} context */
export function build(context) {
  const { generate, decode } = context.model.signatures;
  const parts = [
    generate && "count" in generate.inputs && writing(context),
    first(decode?.inputs, "codes") && first(decode?.outputs, "texts") && way(context),
  ];
  return el("div", { class: "stack" }, ...parts);
}

function writing({ model, ask }) {
  const { inputs, outputs } = model.signatures.generate;
  const said = el("div", { class: "sentences" });
  const seed = el("input", { type: "number", min: 0, step: 1, value: anySeed(), onchange: () => write() });
  const write = latestOnly(async () => {
    const given = { count: WRITTEN, seed: Math.round(seed.valueAsNumber) || 0 };
    const answer = await ask("generate", Object.fromEntries(Object.keys(inputs).map((input) => [input, given[input] ?? 0])));
    if (answer) said.replaceChildren(verses(answer[first(outputs, "texts")]));
  });
  write();
  return el(
    "section",
    { class: "stack" },
    el("div", { class: "row" }, field("Seed", seed), button("Write others", () => ((seed.value = anySeed()), write()))),
    said,
  );
}

/** Between two codes: drawn, or of sentences that somebody types where the model reads them. */
function way({ model, ask }) {
  const { decode, encode } = model.signatures;
  const key = first(decode.inputs, "codes");
  const reads = first(encode?.inputs, "texts");
  let [start, end] = codes(anySeed(), 2, decode.inputs[key].shape[1]);
  const said = el("div", { class: "sentences" });
  const [from, to] = ["From", "To"].map((label) => [label, el("input", { type: "text", class: "wide", dir: "auto" })]);

  const write = latestOnly(async () => {
    const rows = Array.from({ length: STOPS }, (_, i) => between(start, end, i / (STOPS - 1)).map(short));
    const answer = await ask("decode", { [key]: rows });
    if (!answer) return;
    const all = answer[first(decode.outputs, "texts")];
    said.replaceChildren(verses(all));
    if (reads && !from[1].value) [from[1].value, to[1].value] = [all[0], all.at(-1)];
  });
  const typed = latestOnly(async () => {
    const answer = await ask("encode", { [reads]: [from[1].value, to[1].value] }, { quiet: true });
    if (!answer) return;
    [start, end] = answer[first(encode.outputs, "codes")];
    write();
  });
  const others = () => {
    [start, end] = codes(anySeed(), 2, start.length);
    from[1].value = to[1].value = "";
    write();
  };
  for (const [, control] of [from, to]) control.addEventListener("change", () => typed());
  write();
  return el(
    "section",
    { class: "stack" },
    el("h2", {}, "From one to another"),
    el("p", { class: "quiet" }, "The first and the last are two codes, and those in between are at equal steps of the way."),
    ...(reads ? [field(...from), field(...to)] : []),
    said,
    el("div", { class: "row" }, button("Two others", others)),
  );
}

/** A quatrain is set a verse a line. */
function verses(sentences) {
  const list = texts(sentences.map((sentence) => sentence.replace(/([，。！？；])(?=.)/gu, "$1\n").trim()));
  if (sentences.some((sentence) => /\p{Script=Han}/u.test(sentence))) {
    list.classList.add("verses");
    list.setAttribute("lang", "zh");
  }
  return list;
}
