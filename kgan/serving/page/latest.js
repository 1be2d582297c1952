/** One request at a time, and after it only the newest: a dragged slider never queues. */

/**
 * @param {function(...*): Promise<void>} work
 * @returns {function(...*): void} calls `work` now, or once it is free again with the last arguments given until then.
 */
export function latestOnly(work) {
  let busy = false;
  let waiting = null;
  return async function ask(...given) {
    if (busy) {
      waiting = given;
      return;
    }
    busy = true;
    try {
      await work(...given);
    } finally {
      busy = false;
      const next = waiting;
      waiting = null;
      if (next) ask(...next);
    }
  };
}
