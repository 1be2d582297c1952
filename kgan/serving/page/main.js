/** The page: the list of models, the model that the address names, and what was just asked of it. */

import { appOf, card, licence, line } from "./card.js";
import { curl } from "./curl.js";
import { el } from "./dom.js";
import { panelsOf } from "./panels.js";
import { models, predict } from "./server.js";
import { themeSwitch } from "./theme.js";

const AGAIN = 15_000; // milliseconds between two looks for models
const SOON = 3000; // where there are none

const $ = (id) => document.getElementById(id);
let known = [];
let leaving = new AbortController();

/** Look for models, now and again later; what is open stays open until it is exported anew. */
async function look() {
  if (document.hidden) return addEventListener("visibilitychange", look, { once: true });
  try {
    const found = await models();
    if (JSON.stringify(found) !== JSON.stringify(known)) {
      const before = opened().model;
      known = found;
      list();
      const after = opened().model;
      if (!before || JSON.stringify(before) !== JSON.stringify(after)) open();
    }
    $("welcome").hidden = found.length > 0;
    if ($("alert").dataset.from === "look") quiet();
  } catch (error) {
    refuse(error, "look");
  }
  setTimeout(look, known.length && $("alert").dataset.from !== "look" ? AGAIN : SOON);
}

/** The model and the panel that the address names: #digits/codes. */
function opened() {
  const [name, panel] = location.hash.slice(1).split("/").map(decoded);
  const model = known.find((candidate) => candidate.name === name) ?? known[0];
  const panels = model ? panelsOf(model) : [];
  return { model, panels, panel: panels.find((candidate) => candidate.name === panel) ?? panels[0] };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function addressOf(model, panel) {
  return `#${encodeURIComponent(model.name)}${panel ? `/${panel.name}` : ""}`;
}

function list() {
  const item = (model) =>
    el(
      "li",
      {},
      el(
        "a",
        { href: addressOf(model), "data-name": model.name },
        el("strong", {}, model.name),
        el("span", {}, appOf(model)),
        el("small", { class: "quiet" }, [line(model), licence(model)].filter(Boolean).join(" · ")),
      ),
    );
  $("models").replaceChildren(...known.map(item));
  $("count").textContent = known.length ? `${known.length} model${known.length > 1 ? "s" : ""} served here` : "";
}

function open() {
  leaving.abort();
  leaving = new AbortController();
  quiet();
  const { model, panels, panel } = opened();
  $("model").hidden = !model;
  document.title = model ? `${model.name} · kgan` : "kgan";
  if (!model) return;
  for (const link of $("models").querySelectorAll("a")) {
    const isThis = link.dataset.name === model.name;
    if (isThis && !link.ariaCurrent) reveal(link.parentNode);
    link.ariaCurrent = isThis ? "page" : null;
  }
  if ($("about").dataset.model !== JSON.stringify(model)) {
    $("about").dataset.model = JSON.stringify(model);
    $("about").replaceChildren(card(model));
  }
  $("tabs").replaceChildren(...panels.map((candidate) => tab(model, candidate, candidate === panel)));
  $("tabs").hidden = panels.length < 2;
  $("request").hidden = true;
  $("panel").ariaBusy = "false";
  $("panel").setAttribute("aria-labelledby", `tab-${panel.name}`);
  $("panel").replaceChildren(panel.build({ model, ask: asker(model, leaving.signal), refuse }));
}

/** Scrolls the list of models to one of them; scrollIntoView would have the Tab key go on from there. */
function reveal(item) {
  const [frame, box] = [$("models"), item].map((element) => element.getBoundingClientRect());
  const beyond = (start, end) => Math.min(0, box[start] - frame[start]) || Math.max(0, box[end] - frame[end]);
  $("models").scrollBy({ left: beyond("left", "right"), top: beyond("top", "bottom") });
}

function tab(model, panel, selected) {
  const go = () => (location.hash = addressOf(model, panel));
  const attributes = { type: "button", role: "tab", id: `tab-${panel.name}`, "aria-controls": "panel", onclick: go };
  return el("button", { ...attributes, "aria-selected": `${selected}`, tabindex: selected ? 0 : -1 }, panel.title);
}

/** Arrows, Home and End go between tabs, as in any tab list. */
function byArrows(event) {
  const tabs = [...$("tabs").children];
  const at = tabs.indexOf(event.target);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: -1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  const { id } = tabs.at(to % tabs.length);
  addEventListener("hashchange", () => $(id)?.focus(), { once: true });
  $(id).click();
}

/** @returns {import("./panels.js").Context["ask"]} */
function asker(model, signal) {
  let waiting = 0;
  const wait = (change) => {
    waiting += change;
    if (!signal.aborted) $("panel").ariaBusy = `${waiting > 0}`;
  };
  return async function ask(signature, inputs, { quiet: unseen = false } = {}) {
    wait(1);
    try {
      const answer = await predict(model, signature, inputs, signal);
      if (signal.aborted) return null;
      quiet();
      if (!unseen) showRequest(signature, answer);
      return answer.outputs;
    } catch (error) {
      if (!signal.aborted) refuse(error);
      return null;
    } finally {
      wait(-1);
    }
  };
}

function showRequest(signature, { url, body, milliseconds }) {
  const command = curl(url, body);
  $("request").hidden = false;
  $("took").textContent = `${signature}, answered in ${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  $("curl").textContent = command;
}

async function copy() {
  const say = (text) => {
    $("copy").textContent = text;
    setTimeout(() => ($("copy").textContent = "Copy"), 1500);
  };
  try {
    await navigator.clipboard.writeText($("curl").textContent);
    say("Copied");
  } catch {
    getSelection().selectAllChildren($("curl"));
    say("Press Ctrl+C");
  }
}

/** Say what went wrong, until something goes right. */
function refuse(error, from = "request") {
  $("alert").textContent = error.message;
  $("alert").dataset.from = from;
  $("alert").hidden = false;
}

function quiet() {
  $("alert").hidden = true;
  $("alert").textContent = "";
  delete $("alert").dataset.from;
}

/** The address keeps naming the model. */
function skip(event) {
  event.preventDefault();
  $("main").focus();
}

themeSwitch($("theme"));
$("skip").addEventListener("click", skip);
$("copy").addEventListener("click", copy);
$("tabs").addEventListener("keydown", byArrows);
addEventListener("hashchange", open);
look();
