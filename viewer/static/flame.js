/**
 * Calls as boxes whose width is their time, or their memory; a click gives a box the whole width.
 *
 * @typedef {Object} Call
 * @property {string} function
 * @property {string} file
 * @property {number[]} values including what it called: one for each kind of number
 * @property {Call[]} children
 */

import { fill, h } from "./dom.js";
import { drawText } from "./draw.js";
import { share } from "./format.js";
import { themed } from "./palette.js";
import { go, state } from "./state.js";

const BOX = 19;
const SMALLEST_PX = 0.6;
const LIBRARY = /\/lib\/python3\.|\/(site|dist)-packages\/|^<frozen /;
const SHADES = 3;

export class FlameGraph {
  /**
   * @param {Call} tree
   * @param {{which?: number, text: (value: number) => string, icicle?: boolean,
   *   onchoose: (call: Call) => void}} options which: the place of the values that are drawn
   */
  constructor(tree, { which = 0, text, icicle = false, onchoose }) {
    this.tree = measured(tree, which);
    this.root = this.tree;
    this.text = text;
    this.icicle = icicle;
    this.onchoose = onchoose;
    this.depth = depthOf(this.tree);
    this.canvas = h("canvas", { "aria-label": "Flame graph", role: "img" });
    this.tip = h("div.tip", { hidden: true });
    this.node = h("div.flame.scroll", null, this.canvas, this.tip);
    this.boxes = [];
    this.pen = this.canvas.getContext("2d");
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.node);
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => (this.tip.hidden = true));
    this.canvas.addEventListener("click", (event) => this.click(event));
    addEventListener("themechange", (this.onTheme = () => this.paint()));
  }

  destroy() {
    this.observer.disconnect();
    removeEventListener("themechange", this.onTheme);
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    this.width = this.node.clientWidth;
    if (!this.width) return;
    this.height = this.depth * BOX + 2;
    this.canvas.width = this.width * ratio;
    this.canvas.height = this.height * ratio;
    this.canvas.style.height = `${this.height}px`;
    this.pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.paint();
    if (!this.icicle) this.node.scrollTop = this.node.scrollHeight;
  }

  paint() {
    const { pen } = this;
    if (!this.width) return;
    this.boxes = [];
    pen.fillStyle = themed("surface");
    pen.fillRect(0, 0, this.width, this.height);
    pen.font = '11.5px system-ui, "Segoe UI", sans-serif';
    pen.textBaseline = "middle";
    const trail = pathTo(this.tree, this.root);
    trail.slice(0, -1).forEach((call, level) => this.box(call, level, 0, this.width));
    this.walk(this.root, trail.length - 1, 0, this.width);
  }

  walk(call, level, x, width) {
    this.box(call, level, x, width);
    let at = x;
    for (const child of call.children) {
      const room = (child.value / call.value) * width;
      if (room >= SMALLEST_PX) this.walk(child, level + 1, at, room);
      at += room;
    }
  }

  box(call, level, x, width) {
    const { pen } = this;
    const y = this.icicle ? level * BOX : this.height - (level + 1) * BOX;
    this.boxes.push({ call, x, y, width });
    const isLibrary = !call.file || LIBRARY.test(call.file);
    pen.fillStyle = themed(isLibrary ? "flame-lib" : `flame-${1 + (hash(call.function) % SHADES)}`);
    pen.fillRect(x, y, Math.max(width - 1, 0.6), BOX - 1);
    if (call.function === state.function && call.file === state.file) {
      pen.strokeStyle = themed("accent");
      pen.lineWidth = 2;
      pen.strokeRect(x + 1, y + 1, Math.max(width - 3, 1), BOX - 3);
    }
    if (width > 30) {
      pen.fillStyle = themed(isLibrary ? "text-2" : "flame-text");
      drawText(pen, call.function, x + 5, y + BOX / 2, width - 10);
    }
  }

  at(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
    return this.boxes.find((box) => x >= box.x && x < box.x + box.width && y >= box.y &&
      y < box.y + BOX);
  }

  hover(event) {
    const found = this.at(event);
    this.tip.hidden = !found;
    if (!found) return;
    const { call } = found;
    fill(this.tip, h("b", null, call.function), " ", this.text(call.value), " · ",
      share(call.value, this.tree.value), h("br"), h("span.faint", null, call.file));
    this.tip.style.left = `${Math.min(event.clientX + 14, innerWidth - 330)}px`;
    this.tip.style.top = `${event.clientY + 16}px`;
  }

  /** A click widens a box; a click on the widest one shows its source. */
  click(event) {
    const found = this.at(event);
    if (!found) return;
    if (this.root === found.call && found.call !== this.tree) {
      this.onchoose(found.call);
    } else {
      this.root = found.call;
      this.paint();
    }
  }
}

/** The buttons that turn a graph upside down. */
export function shapes() {
  return [["", "Flame"], ["icicle", "Icicle"]].map(([name, title]) => h("button", {
    "aria-pressed": String(state.shape === name),
    onclick: () => go({ shape: name }),
  }, title));
}

/** The calls that have any of the numbers at a place, the largest first. */
function measured({ function: name, file, values, children }, which) {
  return { function: name, file, value: values[which], children: children
    .filter((child) => child.values[which] > 0).map((child) => measured(child, which))
    .sort((a, b) => b.value - a.value) };
}

function depthOf(call) {
  return 1 + Math.max(0, ...call.children.map(depthOf));
}

function pathTo(from, wanted) {
  if (from === wanted) return [from];
  for (const child of from.children) {
    const path = pathTo(child, wanted);
    if (path) return [from, ...path];
  }
  return null;
}

function hash(text) {
  let value = 7;
  for (let i = 0; i < text.length; i++) value = (value * 31 + text.charCodeAt(i)) >>> 0;
  return value;
}
