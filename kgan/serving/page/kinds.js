/** What a tensor is to a person, by its dtype and shape. */

/** @typedef {import("./server.js").Spec} Spec */

const INTEGERS = /^u?int\d+$/;
const FLOATS = /^(b?float\d*|double|half)$/;
const LONG = 2000; // samples, beyond which a row of floats is a sound

/** "images", "texts", "files", "sounds", "points", "codes", "number", "flag", "text" or, of anything else, "numbers".
 * @param {Spec} spec
 * @param {string} [name] a waveform of any length is told from other rows of numbers only by its name */
export function kindOf({ dtype, shape }, name = "") {
  if (!shape) return dtype === "string" ? "texts" : "numbers";
  const rank = shape.length;
  const last = shape[rank - 1];
  if (dtype === "string" && name.endsWith("_bytes")) return "files"; // TF Serving's own rule
  if (dtype === "string") return rank ? "texts" : "text";
  if (dtype === "bool" && !rank) return "flag";
  if (!rank) return "number";
  if (dtype === "uint8" && rank === 4 && [1, 3, 4].includes(last)) return "images";
  if (FLOATS.test(dtype) && rank === 2) {
    if (last >= LONG || (last === null && /wave|speech|audio|sound/.test(name))) return "sounds";
    return last === 2 ? "points" : "codes";
  }
  return "numbers";
}

/** Whether all values are whole numbers. */
export function isInteger(spec) {
  return INTEGERS.test(spec.dtype);
}

/** "uint8 [any, 28, 28, 1]". */
export function described({ dtype, shape }) {
  return `${dtype} [${shape ? shape.map((size) => size ?? "any").join(", ") : "any shape"}]`;
}

/** The name of the first tensor of this kind, if there is one.
 * @param {Object<string, Spec>} specs */
export function first(specs, kind) {
  return Object.keys(specs ?? {}).find((name) => kindOf(specs[name], name) === kind);
}

/** Whether the signature is there and takes exactly these inputs. */
export function takes(signature, ...names) {
  return signature !== undefined && Object.keys(signature.inputs).sort().join() === names.sort().join();
}
