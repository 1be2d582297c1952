/** What a model says of itself, from its kgan.json. */

import { el } from "./dom.js";

/** The app that made it, in words. */
export function appOf({ about }) {
  return about.app ? about.app.replaceAll("_", " ") : "a SavedModel";
}

/** One line: data and first figure. */
export function line({ about }) {
  const figure = about.figures?.[0];
  return [dataOf(about), figure && `${figure.name} ${rounded(figure.value)}`].filter(Boolean).join(" · ");
}

/** "digits 28 × 28". */
function dataOf({ data }) {
  if (!data?.name) return "";
  const [height, width] = data.shape ?? [];
  return width ? `${data.name} ${width} × ${height}` : data.name;
}

/** The licence's name where it begins with one, or all that is said of it. */
export function licence({ about }) {
  const said = about.data?.licence ?? "";
  return /^(CC|MIT|Apache|BSD|GPL|public domain)[\w .-]*/i.exec(said)?.[0] ?? said;
}

/** The head of a model's page. */
export function card(model) {
  const { about } = model;
  const facts = [
    ["Made by", about.app && `python -m apps.${about.app}`],
    ["Data", dataOf(about)],
    ["Licence of the data", about.data?.licence],
    ["Updates", about.updates?.toLocaleString("en")],
    ["Exported", about.created?.slice(0, 10)],
    ["Versions", model.versions.join(", ")],
  ].filter(([, value]) => value);
  return el(
    "header",
    { class: "card" },
    el("p", { class: "eyebrow" }, appOf(model)),
    el("h1", {}, model.name),
    el("p", { class: "quiet" }, [line(model), licence(model)].filter(Boolean).join(" · ")),
    el(
      "details",
      {},
      el("summary", {}, "What it is and what it measures"),
      el("dl", {}, ...facts.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
      figures(about.figures ?? []),
    ),
  );
}

function figures(all) {
  if (!all.length) return null;
  const row = ({ name, value, protocol, standard_error: error }) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, name),
      el("td", { class: "number" }, rounded(value) + (error ? ` ± ${rounded(error)}` : "")),
      el("td", { class: "quiet" }, protocol ?? ""),
    );
  const head = ["Figure", "Value", "How it was measured"].map((text) => el("th", { scope: "col" }, text));
  return el(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Figures" },
    el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...all.map(row))),
  );
}

/** Three digits of a number. */
export function rounded(value) {
  if (typeof value !== "number") return value === null || value === undefined ? "–" : String(value);
  return value.toLocaleString("en", { maximumSignificantDigits: 3 }).replace("-", "−");
}
