/** The whole recording in three strips; dragging in it chooses the range of every page. */

import { fill, h } from "./dom.js";
import { moment } from "./format.js";
import { colourOf, themed } from "./palette.js";
import { go, isWhole, onChange, state, wholeRange } from "./state.js";
import { onTiles, STATES, tilesFor } from "./tiles.js";

const GUTTER = 213; // the timelines' own, and the margin of the page
const MARGIN = 17;
const TOP = 8;
const STRIP = 18;
const PITCH = 22;
const BLOCKED_NS = 10e6; // a loop that does not answer for this long is blocked
const STRIPS = [
  { title: "Loop busy", group: "loops", codes: [5, 6], colour: "step", blocked: true,
    signal: "tasks" },
  { title: "GIL held", group: "gil", codes: [1], colour: "running", blocked: false,
    signal: "gil" },
  { title: "GC", group: "gc", codes: [1, 2, 3], colour: "gc", blocked: false,
    signal: "gc" },
];

/** @returns {HTMLElement} */
export function minimap(meta) {
  const canvas = h("canvas", { "aria-label": "The whole recording: loop, GIL, GC" });
  const range = h("div.range");
  const node = h("div.mini", null, canvas, range);
  let frame = 0;
  const draw = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => paint(canvas, meta));
  };
  const tell = () => {
    const span = state.to - state.from;
    fill(range, !isWhole() && h("button.chip", {
      title: "Show the whole recording (0)",
      onclick: () => go({ from: 0, to: wholeRange() }),
    }, `${moment(state.from, span)} to ${moment(state.to, span)}  ✕`));
    draw();
  };
  onTiles(draw);
  onChange(tell);
  addEventListener("themechange", draw);
  new ResizeObserver(draw).observe(node);
  attach(canvas);
  tell();
  return node;
}

function attach(canvas) {
  let from = null;
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const part = (event.clientX - box.left - GUTTER) / (box.width - GUTTER - MARGIN);
    return Math.min(Math.max(part, 0), 1) * wholeRange();
  };
  canvas.addEventListener("pointerdown", (event) => {
    from = at(event);
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const to = at(event);
    const least = (wholeRange() / canvas.clientWidth) * 4;
    if (Math.abs(to - from) > least) {
      go({ from: Math.min(from, to), to: Math.max(from, to) });
    } else {
      const half = (state.to - state.from) / 2; // a click moves the range there
      if (!isWhole()) go({ from: to - half, to: to + half });
    }
    from = null;
  });
  canvas.addEventListener("dblclick", () => go({ from: 0, to: wholeRange() }));
}

function paint(canvas, meta) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  if (!width) return;
  canvas.width = width * ratio;
  canvas.height = canvas.clientHeight * ratio;
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  pen.font = '11px system-ui, "Segoe UI", sans-serif';
  pen.textBaseline = "middle";
  const room = width - GUTTER - MARGIN;
  STRIPS.forEach((strip, i) => {
    const y = TOP + i * PITCH;
    const lanes = meta.groups[strip.group].map((_, lane) => lane).slice(0, 16);
    const { busy, blocked, seen } = shares(strip, lanes, Math.ceil(room));
    pen.fillStyle = themed("text-2");
    pen.fillText(strip.title, 29, y + STRIP / 2);
    pen.textAlign = "right";
    pen.fillStyle = themed("text-3");
    pen.fillText(seen ? percent(busy) : absent(meta, strip), GUTTER - 12, y + STRIP / 2);
    pen.textAlign = "left";
    pen.fillStyle = themed("surface-2");
    pen.fillRect(GUTTER, y, room, STRIP);
    for (let x = 0; x < busy.length; x++) {
      if (!busy[x]) continue;
      const height = Math.max(1, Math.min(busy[x], 1) * STRIP);
      pen.fillStyle = blocked[x] ? colourOf("gil") : colourOf(strip.colour);
      pen.fillRect(GUTTER + x, y + STRIP - height, 1, height);
    }
  });
  paintDrops(pen, meta, room);
  paintRange(pen, width, room);
}

/** Why there is nothing: the signal was off, or nothing happened. */
function absent(meta, { signal }) {
  return meta.signals.includes(signal) ? "none" : "not recorded";
}

function paintDrops(pen, meta, room) {
  pen.fillStyle = themed("bad");
  for (const [from, to] of meta.drops) {
    const x = GUTTER + (from / wholeRange()) * room;
    pen.fillRect(x, 2, Math.max(2, ((to - from) / wholeRange()) * room), 3);
  }
}

function paintRange(pen, width, room) {
  const x0 = GUTTER + (state.from / wholeRange()) * room;
  const x1 = GUTTER + (state.to / wholeRange()) * room;
  if (isWhole()) return;
  pen.fillStyle = themed("bg");
  pen.globalAlpha = 0.65;
  pen.fillRect(GUTTER, 4, x0 - GUTTER, 70);
  pen.fillRect(x1, 4, width - MARGIN - x1, 70);
  pen.globalAlpha = 1;
  pen.strokeStyle = themed("accent");
  pen.lineWidth = 1.5;
  pen.strokeRect(x0, 4.5, Math.max(x1 - x0, 2), 67);
}

/** By pixel the share of time in the strip's states, and whether one of them is long. */
function shares(strip, lanes, pixels) {
  const busy = new Float32Array(pixels);
  const blocked = new Uint8Array(pixels);
  const whole = wholeRange();
  const pixelNs = whole / pixels;
  let seen = false;
  for (const { tile } of lanes.length ? tilesFor(strip.group, lanes, 0, whole, pixels) : []) {
    for (let i = 0; i < tile.code.length; i++) {
      seen = true;
      const isBucket = tile.row[i] < 0;
      const share = isBucket ? bucketShare(tile, i, strip.codes) : +strip.codes.includes(tile.code[i]);
      if (!share) continue;
      const first = Math.max(0, Math.floor(tile.start[i] / pixelNs));
      const last = Math.min(pixels - 1, Math.floor(tile.end[i] / pixelNs));
      const isLong = strip.blocked && !isBucket && tile.end[i] - tile.start[i] >= BLOCKED_NS;
      for (let x = first; x <= last; x++) {
        const ns = Math.min(tile.end[i], (x + 1) * pixelNs) - Math.max(tile.start[i], x * pixelNs);
        busy[x] += (share * Math.max(ns, 0)) / pixelNs;
        if (isLong) blocked[x] = 1;
      }
    }
  }
  return { busy, blocked, seen };
}

function bucketShare(tile, i, codes) {
  let sum = 0;
  for (const code of codes) sum += tile.shares[tile.bucket[i] * STATES + code];
  return sum / 255;
}

function percent(busy) {
  let sum = 0;
  for (const share of busy) sum += Math.min(share, 1);
  const value = (sum * 100) / busy.length;
  return value && value < 1 ? "<1 %" : `${Math.round(value)} %`;
}
