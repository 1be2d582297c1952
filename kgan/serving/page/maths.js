/** Random codes, ways between them, and the directions in which an image changes most. */

/** A function that draws from N(0, 1), the same numbers for the same seed. */
export function normals(seed) {
  let state = seed >>> 0;
  const uniform = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** `count` codes of `size` numbers N(0, 1). */
export function codes(seed, count, size) {
  const draw = normals(seed);
  return Array.from({ length: count }, () => Array.from({ length: size }, () => short(draw())));
}

/** Four digits after the point, so that a request can be read: no picture tells the difference. */
export function short(value) {
  return Number(value.toFixed(4));
}

/** Some seed that was not used before, for all anyone knows. */
export function anySeed() {
  return Math.floor(Math.random() * 1e6);
}

/** The code at `t` of the way, 0 to 1; as long as a draw from N(0, 1) all along when both ends are. */
export function between(start, end, t) {
  if (t <= 0) return start;
  if (t >= 1) return end;
  const [a, b] = [Math.cos((t * Math.PI) / 2), Math.sin((t * Math.PI) / 2)];
  return start.map((value, i) => short(a * value + b * end[i]));
}

/** `code` plus the weighted directions, brought back to its own length, beyond which a generator was never trained. */
export function moved(code, directions, weights) {
  const sum = code.map((value, i) => value + directions.reduce((total, d, k) => total + weights[k] * d[i], 0));
  const scale = Math.hypot(...code) / Math.hypot(...sum) || 1;
  return sum.map((value) => short(value * scale));
}

/** Unit vectors along which a function changes most: the leading left singular vectors of `rows`.
 * @param {Float32Array[]} rows the change of the output for a step along each coordinate
 * @param {number} count
 * @returns {number[][]} orthonormal, the strongest first */
export function strongest(rows, count) {
  const size = rows.length;
  const gram = rows.map((a, i) => rows.map((b, j) => (j < i ? 0 : dot(a, b))));
  for (let i = 0; i < size; i += 1) for (let j = 0; j < i; j += 1) gram[i][j] = gram[j][i];
  let basis = orthonormal(codes(1, Math.min(count, size), size));
  for (let round = 0; round < 40; round += 1) {
    basis = orthonormal(basis.map((vector) => gram.map((row) => dot(row, vector))));
  }
  return basis;
}

/** Gram and Schmidt's basis of the same space; a vector that adds nothing to it is replaced by noise. */
export function orthonormal(vectors) {
  const basis = [];
  vectors.forEach((vector, k) => {
    let rest = without(vector, basis);
    if (Math.hypot(...rest) < 1e-9) rest = without(codes(k + 2, 1, vector.length)[0], basis);
    const length = Math.hypot(...rest);
    basis.push(rest.map((value) => value / length));
  });
  return basis;
}

function without(vector, basis) {
  return basis.reduce((rest, b) => {
    const along = dot(rest, b);
    return rest.map((value, i) => value - along * b[i]);
  }, vector);
}

function dot(a, b) {
  let total = 0;
  for (let i = 0; i < a.length; i += 1) total += a[i] * b[i];
  return total;
}
