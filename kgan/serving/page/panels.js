/** The panels there are, and which of them a model gets. */

import * as agent from "./panels/agent.js";
import * as attributes from "./panels/attributes.js";
import * as captions from "./panels/captions.js";
import * as codes from "./panels/codes.js";
import * as painting from "./panels/painting.js";
import * as reconstruction from "./panels/reconstruction.js";
import * as sentences from "./panels/sentences.js";
import * as signatures from "./panels/signatures.js";

/**
 * @typedef {Object} Context what a panel is given
 * @property {import("./server.js").Model} model
 * @property {function(string, Object<string, *>, {quiet?: boolean}=): Promise<Object<string, *>|null>} ask a signature
 *     of the model; null where that failed (which is shown) or nobody waits for it any more. A quiet request prepares
 *     something and is not shown as curl.
 * @property {function(Error): void} refuse shows a sentence
 *
 * @typedef {{name: string, title: string, suits: function(Object): boolean, build: function(Context): Node}} Panel
 */

/** The most particular first; the last one suits everything.
 * @type {Panel[]} */
const PANELS = [captions, attributes, painting, reconstruction, codes, sentences, agent, signatures];

/** Those that suit a model, one at least. */
export function panelsOf(model) {
  return PANELS.filter((panel) => panel.suits(model));
}
