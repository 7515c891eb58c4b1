/** The processes of a recording: their names, and lanes grouped by process, which fold. */

import { fill, h } from "./dom.js";
import { Timeline } from "./timeline.js";

const FEW = 3; // processes whose lanes are all shown at first
const HEAD = 16;

let known = [];
/** The numbers of the processes whose lanes are shown; null before the first page with lanes. */
let open = null;

/** @param {any} meta */
export function setProcesses(meta) {
  known = meta.processes;
  open = null;
}

/** Whether there are several. */
export function isFamily() {
  return known.length > 1;
}

/** The name of a process by its number; "" where there is only one. */
export function processName(number) {
  return isFamily() ? known.find((one) => one.process === number)?.name ?? "" : "";
}

/** The name beside the name of something of it, in a table. */
export function ofProcess({ process }) {
  const name = processName(process);
  return name && h("span.sub", null, name);
}

/**
 * The rows of all processes, each below the lane of its process; what is folded shows who had
 * the GIL. `rowsOf` gives the rows of a process that is open.
 */
export function byProcess(meta, rowsOf) {
  open ??= new Set((known.length > FEW ? known.slice(0, 1) : known).map((one) => one.process));
  return known.flatMap((one, i) => [
    head(one, i),
    ...(open.has(one.process) ? rowsOf(one.process) : folded(meta, one))
      .map((row) => ({ ...row, indent: one.depth * 8 + 8 })),
  ]);
}

/** The lane of a process: when it lived. */
export function head(one, i) {
  return { group: "processes", lane: one.lane, title: one.name, detail: one.end, height: HEAD,
    gap: i ? 10 : 0, indent: one.depth * 8 };
}

function folded(meta, { process }) {
  return meta.groups.gil.flatMap((one, lane) => (one.process !== process ? []
    : [{ group: "gil", lane, title: "GIL", height: 12 }]));
}

/** Shows the lanes of a process, if it is not shown. */
export function unfold(process) {
  open?.add(process);
}

/** A timeline that is made anew when a process is folded; and how to end it. */
export function foldable(rows, height) {
  const node = h("div");
  let timeline = null;
  const show = () => {
    timeline?.destroy();
    timeline = new Timeline(rows(), { height });
    fill(node, folds(show), timeline.node);
  };
  show();
  return [node, () => timeline.destroy()];
}

/** A button for each process, which folds its lanes. */
function folds(changed) {
  if (!isFamily()) return null;
  return h("div.folds", null, known.map((one) => h("button", {
    "aria-expanded": String(open.has(one.process)),
    title: `${one.name}, pid ${one.pid}: ${one.end}`,
    onclick: () => {
      if (!open.delete(one.process)) open.add(one.process);
      changed();
    },
  }, open.has(one.process) ? "▾ " : "▸ ", one.name)));
}
