/** What this recording calls what its loops run, and a loop: `greenlet` and `hub`, `trio task`. */

export const nouns = { task: "task", loop: "loop" };

/** The words of the report, which `meta` has; "the event loop" is the loop here. */
export function setNouns(meta) {
  nouns.task = meta.nouns.task;
  nouns.loop = meta.nouns.loop.split(" ").at(-1);
}

export function capital(word) {
  return word[0].toUpperCase() + word.slice(1);
}
