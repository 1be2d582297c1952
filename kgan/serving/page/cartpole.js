/** CartPole-v1 as in gymnasium (Barto, Sutton & Anderson, 1983): a pole on a cart that can be pushed left or right. */

export const NAMES = ["Place of the cart", "Its speed", "Angle of the pole", "Its speed of turning"];
export const ACTIONS = ["to the left", "to the right"];
export const LONGEST = 500; // steps of an episode
export const SECONDS = 0.02; // a step

const [GRAVITY, CART, POLE, HALF, FORCE] = [9.8, 1, 0.1, 0.5, 10]; // m/s², kg, kg, half the pole in m, N
const FARTHEST = 2.4; // m from the middle
const STEEPEST = (12 / 180) * Math.PI;

/** Nearly upright and nearly still. */
export function start() {
  return Array.from({ length: 4 }, () => 0.1 * Math.random() - 0.05);
}

/** The state a step later.
 * @param {number[]} state m, m/s, radians, radians/s
 * @param {number} action 0 pushes to the left, 1 to the right */
export function step([x, speed, angle, turning], action) {
  const [cosine, sine, mass] = [Math.cos(angle), Math.sin(angle), CART + POLE];
  const pushed = ((action === 1 ? FORCE : -FORCE) + POLE * HALF * turning ** 2 * sine) / mass;
  const turned = (GRAVITY * sine - cosine * pushed) / (HALF * (4 / 3 - (POLE * cosine ** 2) / mass));
  const moved = pushed - (POLE * HALF * turned * cosine) / mass;
  return [x + SECONDS * speed, speed + SECONDS * moved, angle + SECONDS * turning, turning + SECONDS * turned];
}

/** Whether the pole has fallen, or the cart has left the track. */
export function isOver([x, , angle]) {
  return Math.abs(x) > FARTHEST || Math.abs(angle) > STEEPEST;
}

/** Draw it, as long as the pole is 1 m of the track's 4.8, in the colours of the page. */
export function draw(canvas, [x, , angle]) {
  const { width, height } = canvas;
  const scale = width / (2 * FARTHEST + 0.4);
  const [left, ground] = [width / 2 + scale * x, 0.8 * height];
  const colour = (name) => getComputedStyle(canvas).getPropertyValue(name);
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  context.lineCap = "round";
  const line = (style, thick, ...points) => {
    context.strokeStyle = style;
    context.lineWidth = thick;
    context.beginPath();
    points.forEach(([across, down]) => context.lineTo(across, down));
    context.stroke();
  };
  const { color: ink } = getComputedStyle(canvas);
  line(ink, 2, [width / 2 - scale * FARTHEST, ground], [width / 2 + scale * FARTHEST, ground]);
  context.fillStyle = ink;
  context.fillRect(left - 0.25 * scale, ground - 0.15 * scale, 0.5 * scale, 0.3 * scale);
  const top = [left + 2 * HALF * scale * Math.sin(angle), ground - 2 * HALF * scale * Math.cos(angle)];
  line(colour("border-top-color"), 0.1 * scale, [left, ground], top);
}
