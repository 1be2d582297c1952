/** Watch the agent: its world is computed here, and the served policy is asked for every action. */

import * as cartpole from "../cartpole.js";
import { button, el } from "../dom.js";
import { takes } from "../kinds.js";
import { short } from "../maths.js";

export const name = "agent";
export const title = "Watch the agent";

const WORLDS = { "CartPole-v1": cartpole }; // other environments have the form of every signature

/** `act` on observations of a world that is known here. */
export function suits({ about, signatures: { act } }) {
  return takes(act, "observations") && "actions" in act.outputs && (about.data?.name ?? "") in WORLDS;
}

/** @param {import("../panels.js").Context} context */
export function build({ model, ask }) {
  const world = WORLDS[model.about.data.name];
  let [state, steps, action, isRunning] = [world.start(), 0, null, false];

  const label = `${model.about.data.name}, drawn as it is`;
  const canvas = el("canvas", { class: "picture smooth large world", width: 640, height: 320, role: "img", "aria-label": label });
  const count = el("output", {}, "0");
  const chosen = el("output", {}, "–");
  const values = world.NAMES.map(() => el("dd", { class: "number" }));
  const said = el("p", { role: "status" });
  const run = button("Watch", () => (isRunning ? stop("Stopped.") : watch()), { class: "primary" });

  const show = () => {
    world.draw(canvas, state);
    count.textContent = `${steps} of ${world.LONGEST}`;
    chosen.textContent = action === null ? "–" : world.ACTIONS[action];
    values.forEach((value, i) => (value.textContent = state[i].toFixed(3).replace("-", "−")));
  };
  const begin = () => {
    [state, steps, action] = [world.start(), 0, null];
    said.textContent = "";
    show();
  };
  const stop = (why) => {
    isRunning = false;
    run.textContent = "Watch";
    said.textContent = why;
  };
  const isOver = () => steps >= world.LONGEST || world.isOver(state);
  /** Ask for an action and take it; false when there is nothing more to do. */
  const move = async () => {
    if (isOver()) begin();
    const answer = await ask("act", { observations: [state.map(short)] });
    if (!answer) return false;
    action = answer.actions[0];
    state = world.step(state, action);
    steps += 1;
    show();
    if (isOver()) stop(world.isOver(state) ? `Fallen after ${steps} steps.` : `Balanced for all ${steps} steps.`);
    return !isOver();
  };
  const watch = async () => {
    isRunning = true;
    run.textContent = "Stop";
    said.textContent = "";
    while (isRunning) {
      const due = performance.now() + 1000 * world.SECONDS;
      if (!(await move())) break;
      await new Promise((done) => setTimeout(done, due - performance.now()));
    }
    if (isRunning) stop("");
  };
  /** Somebody pushes the cart. */
  const push = (by) => {
    state[1] += by;
    show();
  };

  requestAnimationFrame(show); // the colours are those of the page, where it is by then
  ask("act", { observations: [state.map(short)] }).then((answer) => {
    if (!answer || steps) return;
    action = answer.actions[0];
    show();
  });
  const row = (term, ...shown) => [el("dt", {}, term), ...shown];
  return el(
    "div",
    { class: "split" },
    el(
      "div",
      { class: "stage" },
      canvas,
      el("div", { class: "row" }, run, button("One step", () => isRunning || move()), button("Begin anew", begin)),
      said,
    ),
    el(
      "div",
      { class: "stack" },
      el("h2", {}, "What it sees and does"),
      el("dl", { class: "seen" }, ...world.NAMES.flatMap((term, i) => row(term, values[i])),
        ...row("It pushes", el("dd", {}, chosen)), ...row("Steps", el("dd", {}, count))),
      el("h2", {}, "Disturb it"),
      el("p", { class: "quiet" }, "A push changes the speed of the cart by half a metre a second."),
      el("div", { class: "row" }, button("Push to the left", () => push(-0.5)), button("Push to the right", () => push(0.5))),
    ),
  );
}
