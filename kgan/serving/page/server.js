/** The server behind this page: TF Serving's protocol, and the list of models that kgan adds to it. */

/**
 * @typedef {{dtype: string, shape: (number|null)[]}} Spec one tensor; null is any size
 * @typedef {{inputs: Object<string, Spec>, outputs: Object<string, Spec>}} Signature
 * @typedef {{name: string, versions: number[], about: Object, signatures: Object<string, Signature>}} Model
 * @typedef {{url: string, body: string, outputs: Object<string, *>, milliseconds: number}} Answer
 */

/** What a person is told, in one sentence. */
export class ServerError extends Error {}

/** The models, each with its signatures.
 * @returns {Promise<Model[]>} */
export async function models() {
  const { models } = await read(address("kgan/models"), {});
  return models.map((model) => ({ ...model, about: model.about ?? {}, signatures: named(model.signatures ?? {}) }));
}

/** `serving_default` is one of the others by another name, unless there are no others. */
function named({ serving_default: usual, ...others }) {
  return Object.keys(others).length || !usual ? others : { serving_default: usual };
}

/** Ask a signature of a model.
 * @param {Model} model
 * @param {string} signature
 * @param {Object<string, *>} inputs nested lists, numbers and strings by name
 * @param {AbortSignal} [signal]
 * @returns {Promise<Answer>} */
export async function predict(model, signature, inputs, signal) {
  const url = address(`v1/models/${encodeURIComponent(model.name)}:predict`);
  const body = JSON.stringify({ signature_name: signature, inputs });
  const start = performance.now();
  const { outputs } = await read(url, { method: "POST", body, signal, headers: { "Content-Type": "application/json" } });
  const milliseconds = performance.now() - start;
  const names = Object.keys(model.signatures[signature].outputs);
  // An only output comes without its name.
  return { url, body, milliseconds, outputs: names.length === 1 ? { [names[0]]: outputs } : outputs };
}

function address(path) {
  return new URL(path, document.baseURI.split("#")[0]).href;
}

async function read(url, options) {
  let response, text;
  try {
    response = await fetch(url, options);
    text = await response.text();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(`The server at ${location.origin} does not answer: is python -m kgan.serving still running?`);
  }
  const answer = parse(text);
  if (response.ok && answer) return answer;
  throw new ServerError(answer?.error ?? `The server answered ${response.status} ${response.statusText} to ${url}.`);
}

/** JSON as TF Serving writes it, where NaN and Infinity may stand bare; they become null. Null if it is not even that. */
export function parse(text) {
  const plain = text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (found) => (found[0] === '"' ? found : "null"));
  try {
    return JSON.parse(plain);
  } catch {
    return null;
  }
}
