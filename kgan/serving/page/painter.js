/** A canvas to paint on, by mouse, finger, pen or keys; the paint is kept apart from the image below. */

import { button, el, field, slider } from "./dom.js";
import { blank, nested, rgba } from "./pictures.js";

const UNDONE = 30; // strokes that can be taken back
const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const KEYS = "Arrow keys move the brush (with Shift, eight pixels), space paints, E changes brush and eraser, Z takes back.";

/**
 * @param {{shape: number[], colour: string, size: number, onpaint: function(): void}} options
 *     `onpaint` is called after every stroke.
 * @returns {{node: HTMLElement, setImage: function(number[][][]): void, clear: function(): void,
 *     image: function(): number[][][], paint: function(): number[][][], both: function(): number[][][],
 *     isPainted: function(): boolean}} `paint` is RGBA; `both` is the image with the paint on it
 */
export function painter({ shape: [height, width, channels], colour, size, onpaint }) {
  const layer = () => el("canvas", { width, height }).getContext("2d", { willReadFrequently: true });
  const [below, paint] = [layer(), layer()];
  const canvas = el("canvas", {
    class: "picture large paint", width, height, tabindex: "0", role: "application", "aria-label": `Canvas. ${KEYS}`,
  });
  const seen = canvas.getContext("2d", { willReadFrequently: true });
  const brush = el("div", { class: "brush", "aria-hidden": "true" });
  const said = el("span", { class: "sr", "aria-live": "polite" });
  const past = [];
  let [x, y] = [Math.floor(width / 2), Math.floor(height / 2)];
  let image = blank(height, width, channels);
  let [erases, stroke] = [false, false];

  const refresh = () => {
    seen.clearRect(0, 0, width, height);
    seen.drawImage(below.canvas, 0, 0);
    seen.drawImage(paint.canvas, 0, 0);
  };
  const showBrush = () => {
    const side = Math.max(1, radius.input.valueAsNumber);
    brush.style.width = `${(100 * side) / width}%`;
    brush.style.height = `${(100 * side) / height}%`;
    brush.style.left = `${(100 * (x + 0.5 - side / 2)) / width}%`;
    brush.style.top = `${(100 * (y + 0.5 - side / 2)) / height}%`;
    brush.classList.toggle("erases", erases);
  };
  /** Whole pixels, without the soft edges of a canvas's own strokes: half a colour would be asked for as such. */
  const dab = () => {
    const side = radius.input.valueAsNumber;
    paint.fillStyle = ink.value;
    const reach = side / 2;
    for (let v = Math.ceil(y - reach); v <= y + reach; v += 1) {
      for (let u = Math.ceil(x - reach); u <= x + reach; u += 1) {
        if (Math.hypot(u - x, v - y) > Math.max(reach, 0.5)) continue;
        if (erases) paint.clearRect(u, v, 1, 1);
        else paint.fillRect(u, v, 1, 1);
      }
    }
    refresh();
  };
  const remember = () => {
    past.push(paint.getImageData(0, 0, width, height));
    if (past.length > UNDONE) past.shift();
  };
  const undo = () => {
    if (!past.length) return;
    paint.putImageData(past.pop(), 0, 0);
    refresh();
    onpaint();
  };
  const clear = () => {
    if (self.isPainted()) remember();
    paint.clearRect(0, 0, width, height);
    refresh();
  };

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [
      Math.floor(((event.clientX - box.left) / box.width) * width),
      Math.floor(((event.clientY - box.top) / box.height) * height),
    ];
  };
  /** Every pixel between two places of the pointer. */
  const lineTo = ([u, v]) => {
    const [x0, y0, steps] = [x, y, Math.max(1, Math.abs(u - x), Math.abs(v - y))];
    for (let i = 1; i <= steps; i += 1) {
      [x, y] = [Math.round(x0 + ((u - x0) * i) / steps), Math.round(y0 + ((v - y0) * i) / steps)];
      dab();
    }
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    remember();
    stroke = true;
    [x, y] = place(event);
    dab();
    showBrush();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (stroke) lineTo(place(event));
    else [x, y] = place(event);
    showBrush();
  });
  const lift = () => {
    if (stroke) onpaint();
    stroke = false;
  };
  canvas.addEventListener("pointerup", lift);
  canvas.addEventListener("pointercancel", lift);

  let held = false;
  canvas.addEventListener("keydown", (event) => {
    if (event.altKey || (event.ctrlKey && event.key !== "z")) return;
    const key = event.key.toLowerCase();
    if (event.key in MOVES) {
      const step = event.shiftKey ? 8 : 1;
      const [u, v] = MOVES[event.key];
      const to = [Math.min(width - 1, Math.max(0, x + step * u)), Math.min(height - 1, Math.max(0, y + step * v))];
      if (held) lineTo(to);
      else [x, y] = to;
      said.textContent = `${x + 1}, ${y + 1}`;
    } else if (event.key === " ") {
      if (!event.repeat) remember();
      held = true;
      dab();
    } else if (key === "e") setEraser(!erases);
    else if (key === "z") undo();
    else return;
    event.preventDefault();
    showBrush();
  });
  canvas.addEventListener("keyup", (event) => {
    if (event.key !== " ") return;
    held = false;
    onpaint();
  });

  const ink = el("input", { type: "color", value: colour });
  const radius = slider("Brush", { min: 1, max: Math.ceil(width / 3), step: 1, value: size }, () => showBrush(), (n) => `${n} px`);
  const eraser = button("Eraser", () => setEraser(!erases), { "aria-pressed": "false" });
  const setEraser = (value) => {
    erases = value;
    eraser.setAttribute("aria-pressed", `${value}`);
    showBrush();
  };
  const tools = el(
    "div",
    { class: "row tools" },
    field("Colour", ink),
    radius.node,
    el("span", { class: "break" }),
    eraser,
    button("Undo", undo),
    button("Clear", () => (clear(), onpaint())),
  );

  const read = (context, depth) => nested(context.getImageData(0, 0, width, height).data, width, height, depth);
  const self = {
    node: el("div", { class: "stack" }, el("div", { class: "easel" }, canvas, brush), said, tools,
      el("p", { class: "quiet" }, KEYS)),
    setImage: (given) => {
      image = given;
      below.putImageData(new ImageData(rgba(image).data, width, height), 0, 0);
      refresh();
    },
    image: () => image,
    paint: () => read(paint, 4),
    both: () => read(seen, channels),
    isPainted: () => paint.getImageData(0, 0, width, height).data.some((value) => value > 0),
    clear,
  };
  self.setImage(image);
  showBrush();
  return self;
}
