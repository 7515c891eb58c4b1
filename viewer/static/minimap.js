/** The whole recording in three strips; dragging in it chooses the range of every page. */

import { ask } from "./api.js";
import { ticks } from "./axis.js";
import { isDay, when } from "./clock.js";
import { fill, h } from "./dom.js";
import { duration, share } from "./format.js";
import { capital, nouns } from "./nouns.js";
import { colourOf, themed } from "./palette.js";
import { go, isWhole, onChange, state, wholeRange } from "./state.js";
import { CHUNK, onTiles, STATES, tilesFor } from "./tiles.js";

const GUTTER = 213; // the timelines' own, and the margin of the page
const MARGIN = 17;
const TOP = 22;
const STRIP = 18;
const PITCH = 22;
const MOST_LANES = 256; // loops or processes
const BOTTOM = TOP + 3 * PITCH;
const BLOCKED = 9; // the server's code of a step that is long
const STRIPS = [
  { get title() { return `${capital(nouns.loop)} busy`; }, group: "loops", codes: [5, 6, BLOCKED],
    colour: "step", signal: "tasks",
    get about() { return `the time in which at least one ${nouns.loop} ran a ${nouns.task} or a callback`; } },
  { title: "GIL held", group: "gil", codes: [1], colour: "running", signal: "gil",
    about: "the time in which a thread held the GIL" },
  { title: "GC", group: "gc", codes: [1, 2, 3], colour: "gc", signal: "gc",
    about: "the time in which garbage was collected" },
];

/**
 * @param {Promise<any>} first what is more urgent than the shares
 * @returns {HTMLElement}
 */
export function minimap(meta, first) {
  const canvas = h("canvas", { "aria-label": "The whole recording: loop, GIL, GC" });
  const axis = h("div.axis");
  const range = h("div.range");
  const told = STRIPS.map((strip, i) => h("span.share", { title: strip.about,
    style: { top: `${TOP + i * PITCH}px` } }));
  const node = h("div.mini", null, canvas, axis, range, told);
  let frame = 0;
  const draw = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => paint(canvas, meta));
  };
  const tell = () => {
    const span = state.to - state.from;
    const text = isDay() ? `${when(state.from, span)} + ${duration(span)}`
      : `${when(state.from, span)} to ${when(state.to, span)}`;
    fill(range, !isWhole() && h("button.chip", {
      title: `${text}. Show the whole recording (0)`,
      onclick: () => go({ from: 0, to: wholeRange() }),
    }, `✕ ${text}`));
    mark(axis, canvas);
    draw();
  };
  onTiles(draw);
  onChange(tell);
  addEventListener("themechange", draw);
  new ResizeObserver(tell).observe(node);
  attach(canvas);
  first.then(() => ask("strips")).then((busy) => STRIPS.forEach((strip, i) => {
    told[i].textContent = busy[strip.group] === null ? absent(meta, strip)
      : share(busy[strip.group], meta.duration_ns);
  }), () => {}); // the page says that the server does not answer
  return node;
}

/** The time axis above the strips. */
function mark(axis, canvas) {
  const whole = wholeRange();
  const room = canvas.clientWidth - GUTTER - MARGIN;
  if (room <= 0) return;
  fill(axis, ticks(0, whole, room).map(({ at, step, x }) => h("span", {
    style: { left: `${x}px` } }, when(at, step * 100))));
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
    const lanes = meta.groups[strip.group].map((_, lane) => lane).slice(0, MOST_LANES);
    const { busy, blocked } = shares(strip, lanes, Math.ceil(room));
    pen.fillStyle = themed("text-2");
    pen.fillText(strip.title, 29, y + STRIP / 2);
    pen.fillStyle = themed("surface-2");
    pen.fillRect(GUTTER, y, room, STRIP);
    for (let x = 0; x < busy.length; x++) {
      if (!busy[x]) continue;
      const height = Math.max(1, Math.min(busy[x], 1) * STRIP);
      pen.fillStyle = colourOf(blocked[x] ? "blocked" : strip.colour);
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
    pen.fillRect(x, TOP - 3, Math.max(2, ((to - from) / wholeRange()) * room), 3);
  }
}

function paintRange(pen, width, room) {
  const x0 = GUTTER + (state.from / wholeRange()) * room;
  const x1 = GUTTER + (state.to / wholeRange()) * room;
  if (isWhole()) return;
  pen.fillStyle = themed("bg");
  pen.globalAlpha = 0.65;
  pen.fillRect(GUTTER, TOP - 4, x0 - GUTTER, BOTTOM - TOP + 4);
  pen.fillRect(x1, TOP - 4, width - MARGIN - x1, BOTTOM - TOP + 4);
  pen.globalAlpha = 1;
  pen.strokeStyle = themed("accent");
  pen.lineWidth = 1.5;
  pen.strokeRect(x0, TOP - 3.5, Math.max(x1 - x0, 2), BOTTOM - TOP + 2);
}

/** By pixel the share of time in the strip's states, and whether a step was long there. */
function shares(strip, lanes, pixels) {
  const busy = new Float32Array(pixels);
  const blocked = new Uint8Array(pixels);
  const whole = wholeRange();
  const pixelNs = whole / pixels;
  for (const { tile } of runs(lanes).flatMap((run) => tilesFor(strip.group, run, 0, whole, pixels))) {
    for (let i = 0; i < tile.code.length; i++) {
      const isBucket = tile.row[i] < 0;
      const part = isBucket ? bucketShare(tile, i, strip.codes) : +strip.codes.includes(tile.code[i]);
      if (!part) continue;
      const first = Math.max(0, Math.floor(tile.start[i] / pixelNs));
      const last = Math.min(pixels - 1, Math.floor(tile.end[i] / pixelNs));
      const isLong = isBucket ? bucketShare(tile, i, [BLOCKED]) : tile.code[i] === BLOCKED;
      for (let x = first; x <= last; x++) {
        const ns = Math.min(tile.end[i], (x + 1) * pixelNs) - Math.max(tile.start[i], x * pixelNs);
        busy[x] += (part * Math.max(ns, 0)) / pixelNs;
        if (isLong) blocked[x] = 1;
      }
    }
  }
  return { busy, blocked };
}

/** Lanes as the timelines ask for them. */
function runs(lanes) {
  return Array.from({ length: Math.ceil(lanes.length / CHUNK) }, (_, i) =>
    lanes.slice(i * CHUNK, (i + 1) * CHUNK));
}

function bucketShare(tile, i, codes) {
  let sum = 0;
  for (const code of codes) sum += tile.shares[tile.bucket[i] * STATES + code];
  return sum / 255;
}
