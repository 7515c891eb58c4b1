/** From slice to slice with the arrow keys: along a lane, and to the lanes above and below. */

import { ask } from "./api.js";
import { go, state } from "./state.js";
import { timelines } from "./timeline.js";

const ALONG = { arrowleft: "before", arrowright: "after" };
const ACROSS = { arrowup: -1, arrowdown: 1 };

/** Whether a key leads to another slice; else it scrolls the page, as usual. */
export function isWalk(key) {
  const [timeline] = timelines();
  return (key in ALONG || key in ACROSS) && timeline !== undefined &&
    (state.sel !== "" || document.activeElement === timeline.canvas);
}

export async function walk(key) {
  const [timeline] = timelines();
  if (!state.sel) return select(first(timeline));
  const [group, row] = state.sel.split(":");
  let told = null;
  try {
    told = await ask("slice", { group, row });
  } catch {
    return undefined; // the explanation says what is wrong
  }
  if (state.sel !== `${group}:${row}`) return undefined;
  if (key in ACROSS) return select(across(timeline, told, ACROSS[key]));
  const next = told[ALONG[key]];
  if (next < 0) return undefined;
  const { start_ns: from, ns } = await ask("slice", { group, row: String(next) })
    .catch(() => told); // a shared file may lack it: the view stays, and the explanation says so
  return select({ group, row: next, from, to: from + ns });
}

/** Selects a slice, and moves the view to it when it is outside. */
function select(slice) {
  if (!slice) return;
  const { group, row, from, to } = slice;
  const half = (state.to - state.from) / 2;
  const middle = (from + to) / 2;
  const isOutside = to <= state.from || from >= state.to;
  go({ sel: `${group}:${row}`, ...(isOutside && { from: middle - half, to: middle + half }) });
}

function first(timeline) {
  return timeline.rows.map((row) => slices(timeline, row)[0]).find((slice) => slice);
}

/** In the next lane that shows a slice: the one at the middle of what is seen of this one. */
function across(timeline, { group, lane, start_ns: from, ns }, step) {
  const at = timeline.rows.findIndex((row) => row.group === group && row.lane === lane);
  const middle = (Math.max(from, state.from) + Math.min(from + ns, state.to)) / 2;
  const away = (slice) => Math.max(slice.from - middle, middle - slice.to, 0);
  for (let i = at + step; at >= 0 && timeline.rows[i]; i += step) {
    const found = slices(timeline, timeline.rows[i]);
    if (found.length) return found.reduce((a, b) => (away(b) < away(a) ? b : a));
  }
  return null;
}

function slices(timeline, row) {
  return timeline.pieces(row).filter((piece) => piece.row >= 0)
    .map((piece) => ({ ...piece, group: row.group }));
}
