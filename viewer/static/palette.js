/** The colour and the pattern of each state, the same on every page and in both themes. */

import { h } from "./dom.js";
import { nouns } from "./nouns.js";

/** By group, by code: the names of the states. The colours are in style.css. */
const THREAD = ["", "running", "native", "preempted", "off", "gil", "lock", "idle", "io", "sleep",
  "lock", "hold"];
const SLICE = ["", "ready", "step", "await", "", "step", "callback", "select", "gc", "blocked"];
const HOLDERS = ["", ...Array.from({ length: 12 }, (_, i) => `holder${i + 1}`)];
const STATES = {
  threads: THREAD,
  waits: THREAD,
  gil: ["", "running"],
  loops: SLICE,
  tasks: SLICE,
  gc: ["", "gc0", "gc1", "gc2"],
  locks: HOLDERS,
  processes: ["", "starting", "life", "killed"],
  jobs: ["", "job", "failed"],
};

/** Their names in a legend. */
export const NAMES = {
  running: "running", native: "native", preempted: "preempted", off: "off cpu", gil: "GIL wait",
  lock: "lock wait", idle: "idle wait", io: "io", sleep: "sleep", ready: "ready", await: "await",
  get step() { return `${nouns.task} step`; }, get blocked() { return `blocks the ${nouns.loop}`; }, callback: "callback", select: "idle (select)", gc0: "gen 0", gc1: "gen 1",
  gc2: "gen 2", starting: "starting", life: "recorded", killed: "recorded, then killed by a signal",
  job: "job", failed: "job that failed",
};

/** These distinguish states without colour; each is drawn in a square of 8 pixels. */
const PATTERNS = {
  gil: [[0, 8, 8, 0], [-2, 2, 2, -2], [6, 10, 10, 6]],
  lock: [[0, 0, 8, 8], [-2, 6, 2, 10], [6, -2, 10, 2]],
  ready: [[4, 0, 4, 8]],
  preempted: [[2, 0, 2, 8], [6, 0, 6, 8]],
  off: [[0, 4, 8, 4]],
  callback: [[0, 8, 8, 0]],
  holder2: [[0, 8, 8, 0]],
  holder3: [[0, 0, 8, 8]],
  holder4: [[4, 0, 4, 8]],
  holder5: [[0, 4, 8, 4]],
};

/** Harmless waits, drawn low so that the rest stands out. */
const LOW = new Set(["idle", "sleep", "await", "select", "off"]);

let colours = new Map();
let patterns = new Map();

/** The state a code stands for in a group. */
export function stateName(group, code) {
  return STATES[group]?.[code] ?? "";
}

/** Whether a state is drawn at part of the lane's height. */
export function isLow(name) {
  return LOW.has(name);
}

/** A colour of the theme: `--NAME` in style.css. */
export function themed(name) {
  if (!colours.has(name)) {
    const style = getComputedStyle(document.documentElement);
    colours.set(name, style.getPropertyValue(`--${name}`).trim());
  }
  return colours.get(name);
}

export function colourOf(name) {
  return themed(`s-${name}`) || themed("s-other");
}

/** The pattern laid over a state, or null. */
export function patternOf(context, name) {
  const lines = PATTERNS[name];
  if (!lines) return null;
  if (!patterns.has(name)) {
    const tile = new OffscreenCanvas(8, 8);
    const pen = tile.getContext("2d");
    pen.strokeStyle = themed("pattern");
    pen.lineWidth = 1;
    pen.beginPath();
    for (const [x0, y0, x1, y1] of lines) {
      pen.moveTo(x0, y0);
      pen.lineTo(x1, y1);
    }
    pen.stroke();
    patterns.set(name, context.createPattern(tile, "repeat"));
  }
  return patterns.get(name);
}

/** Forgets the colours of the other theme. */
export function themeChanged() {
  colours = new Map();
  patterns = new Map();
}

/** The swatches of some states. */
export function legend(names) {
  return h("div.legend", null, names.map((name) => h("span", null, swatch(name), NAMES[name])));
}

export function swatch(name) {
  const canvas = h("canvas.swatch", { width: 24, height: 24, "aria-hidden": true });
  const pen = canvas.getContext("2d");
  const paint = () => {
    pen.clearRect(0, 0, 24, 24);
    pen.setTransform(2, 0, 0, 2, 0, 0);
    const top = isLow(name) ? 4 : 0;
    pen.fillStyle = colourOf(name);
    pen.fillRect(0, top, 12, 12 - top);
    const pattern = patternOf(pen, name);
    if (pattern) {
      pen.fillStyle = pattern;
      pen.fillRect(0, top, 12, 12 - top);
    }
  };
  paint();
  addEventListener("themechange", () => canvas.isConnected && paint());
  return canvas;
}
