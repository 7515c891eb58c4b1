/**
 * Lanes on a canvas: only what is visible is drawn, once per frame.
 *
 * @typedef {Object} Row
 * @property {string} group
 * @property {number} lane
 * @property {string} title
 * @property {string} [detail]
 * @property {number} height
 * @property {number} [gap] pixels of room above
 * @property {number} [indent] pixels before the title
 * @property {import("./counter.js").Counter} [counter] what it shows instead of slices
 */

import { ticks } from "./axis.js";
import { when } from "./clock.js";
import { drawCounter, valueAt } from "./counter.js";
import { fill, h } from "./dom.js";
import { drawLane, eachPiece, itemAt, shortened } from "./draw.js";
import { count, duration } from "./format.js";
import { attachGestures } from "./gestures.js";
import { NAMES, stateName, themed } from "./palette.js";
import { go, onChange, state } from "./state.js";
import { CHUNK, onTiles, tilesFor } from "./tiles.js";

export const GUTTER = 196;
const AXIS = 24;
const LIVE = new Set();

/** The timelines on screen, for the keyboard. */
export function timelines() {
  return [...LIVE];
}

/** The lane that must be seen: that of the selected slice, or of a thread that was looked for. */
let wanted = null;

/** Scrolls every timeline that has this lane so that it is seen, also those that come later. */
export function reveal(group, lane) {
  wanted = { group, lane };
  for (const one of LIVE) one.reveal();
}

export class Timeline {
  /** @param {Row[]} rows @param {{height?: number}} [options] height: in pixels, at most */
  constructor(rows, { height = Infinity, empty = "Nothing was recorded." } = {}) {
    this.rows = place(rows);
    this.total = this.rows.length ? this.rows.at(-1).bottom + 6 : 40;
    this.view = { from: state.from, to: state.to };
    this.canvas = h("canvas", { tabindex: 0, role: "img",
      "aria-label": `Timeline of ${rows.length} lanes` });
    this.tip = h("div.tip", { hidden: true });
    this.said = h("p.hint.missed", { role: "status", hidden: true });
    this.sheet = h("div.timeline-sheet", { style: { height: `${this.total + AXIS}px` } },
      this.canvas);
    this.node = h("div.timeline", {
      style: { maxHeight: height === Infinity ? "" : `${height}px` },
    }, rows.length ? this.sheet : h("p.empty", null, empty), this.said, this.tip);
    this.pen = this.canvas.getContext("2d", { alpha: false });
    this.frame = 0;
    this.frames = 0; // drawn so far; tests look at it
    this.buckets = 0; // drawn on the last frame
    this.hits = 0; // slices drawn on it that have the text to find
    this.stops = [
      onTiles(() => this.draw()),
      onChange(() => this.follow()),
    ];
    attachGestures(this);
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.node);
    this.node.addEventListener("scroll", () => this.draw(), { passive: true });
    addEventListener("themechange", (this.onTheme = () => this.draw()));
    LIVE.add(this);
  }

  destroy() {
    for (const stop of this.stops) stop();
    this.observer.disconnect();
    removeEventListener("themechange", this.onTheme);
    cancelAnimationFrame(this.frame);
    clearTimeout(this.commitTimer);
    LIVE.delete(this);
  }

  get left() {
    return GUTTER;
  }

  get scale() {
    return (this.width - GUTTER) / (this.view.to - this.view.from);
  }

  resize() {
    const ratio = devicePixelRatio || 1;
    this.width = Math.max(this.node.clientWidth, GUTTER + 50);
    this.height = Math.max(this.node.clientHeight, 40);
    this.canvas.width = Math.round(this.width * ratio);
    this.canvas.height = Math.round(this.height * ratio);
    Object.assign(this.canvas.style, { width: `${this.width}px`, height: `${this.height}px` });
    this.ratio = ratio;
    if (!this.frames) this.reveal();
    this.paint();
  }

  reveal() {
    if (!state.sel && !state.thread && !state.site) return; // nobody looks for it any more
    const row = this.rows.find(({ group, lane }) => group === wanted?.group &&
      lane === wanted.lane);
    if (!row) return;
    const room = this.node.clientHeight - AXIS;
    const from = this.node.scrollTop;
    if (row.top < from || row.bottom > from + room) this.node.scrollTop = row.top - room / 2;
  }

  /** Shows another range, and publishes it once it stays. */
  move(from, to) {
    this.view = { from, to };
    this.draw();
    clearTimeout(this.commitTimer);
    this.commitTimer = setTimeout(() => go({ from, to }, { replace: true }), 120);
  }

  follow() {
    clearTimeout(this.commitTimer);
    this.view = { from: state.from, to: state.to };
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    if (!this.width || !this.rows.length) return;
    const pen = this.pen;
    this.frames++;
    this.buckets = this.hits = 0;
    pen.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    pen.fillStyle = themed("surface");
    pen.fillRect(0, 0, this.width, this.height);
    const scroll = this.node.scrollTop;
    this.paintGrid(pen);
    for (const chunk of this.visibleChunks(scroll)) this.paintChunk(pen, chunk, scroll);
    for (const { counter, top, height } of this.rows) {
      if (counter) drawCounter(pen, counter, { top: top + AXIS - scroll, height }, this.frameOf());
    }
    this.paintSelected(pen, scroll);
    this.paintGutter(pen, scroll);
    this.paintAxis(pen);
    this.said.hidden = !state.find || this.hits > 0;
    this.said.textContent = `Nothing on screen is called “${state.find}”${this.buckets
      ? ", as far as slices can be told apart here; zoom in (W)" : ""}.`;
  }

  /** Rows in runs of one group, as they are requested; only runs that are on screen. */
  visibleChunks(scroll) {
    this.chunks ??= chunked(this.rows);
    const bottom = scroll + this.height;
    return this.chunks.filter(
      ({ rows }) => rows[0].top + AXIS < bottom && rows.at(-1).bottom + AXIS > scroll,
    );
  }

  tilesOf(chunk) {
    const { from, to } = this.view;
    return tilesFor(chunk.group, chunk.lanes, from, to, this.width - GUTTER);
  }

  paintChunk(pen, chunk, scroll) {
    const parts = this.tilesOf(chunk);
    const view = { ...this.frameOf(), find: state.find.toLowerCase() };
    chunk.rows.forEach((row, slot) => {
      const top = row.top + AXIS - scroll;
      if (top > this.height || top + row.height < AXIS) return;
      const lane = { group: row.group, slot, top, height: row.height };
      const { buckets, hits } = drawLane(pen, parts, lane, view);
      this.buckets += buckets;
      this.hits += hits;
    });
  }

  /** How times become places on the canvas. */
  frameOf() {
    return { from: this.view.from, scale: this.scale, left: GUTTER, right: this.width };
  }

  /** What a row shows, with its place. */
  pieces(row) {
    if (row.counter) return [];
    this.chunks ??= chunked(this.rows);
    const chunk = this.chunks.find(({ rows }) => rows.includes(row));
    const found = [];
    eachPiece(this.tilesOf(chunk), chunk.rows.indexOf(row), this.frameOf(),
      (tile, i, x, width) => found.push({ row: tile.row[i], state: stateName(row.group, tile.code[i]),
        label: tile.labels[tile.label[i]] ?? "", from: tile.start[i], to: tile.end[i], x, width }));
    return found;
  }

  paintGrid(pen) {
    pen.fillStyle = themed("grid");
    for (const { x } of this.ticks()) pen.fillRect(Math.round(x), AXIS, 1, this.height);
  }

  paintAxis(pen) {
    const span = this.view.to - this.view.from;
    pen.fillStyle = themed("surface-2");
    pen.fillRect(0, 0, this.width, AXIS);
    pen.fillStyle = themed("line");
    pen.fillRect(0, AXIS - 1, this.width, 1);
    pen.font = '11px ui-monospace, "SF Mono", Menlo, monospace';
    pen.textBaseline = "middle";
    pen.fillStyle = themed("text-2");
    for (const { x, at, step } of this.ticks()) {
      if (x > GUTTER - 1 && x < this.width - 40) pen.fillText(when(at, step * 100), x + 4, 12);
    }
    pen.fillStyle = themed("text");
    pen.fillText(`${duration(span)} in view`, 12, 12);
  }

  ticks() {
    const { from, to } = this.view;
    return ticks(from, to, this.width - GUTTER).map((one) => ({ ...one, x: GUTTER + one.x }));
  }

  paintGutter(pen, scroll) {
    pen.fillStyle = themed("surface");
    pen.fillRect(0, AXIS, GUTTER, this.height);
    pen.fillStyle = themed("line");
    pen.fillRect(GUTTER - 1, AXIS, 1, this.height);
    pen.textBaseline = "middle";
    for (const row of this.rows) {
      const y = row.top + AXIS - scroll + row.height / 2;
      if (!row.title || y < AXIS || y > this.height + 20) continue;
      pen.font = '12px system-ui, "Segoe UI", sans-serif';
      const detail = row.detail ?? "";
      const left = 12 + (row.indent ?? 0);
      const room = GUTTER - 12 - left - (detail ? Math.min(detail.length * 6.4 + 14, 90) : 0);
      pen.fillStyle = themed("text");
      pen.fillText(shortened(pen, row.title, room), left, y);
      if (detail) {
        pen.font = '10.5px ui-monospace, "SF Mono", Menlo, monospace';
        pen.fillStyle = themed("text-3");
        pen.textAlign = "right";
        pen.fillText(detail.length > 12 ? `…${detail.slice(-11)}` : detail, GUTTER - 12, y);
        pen.textAlign = "left";
      }
    }
  }

  paintSelected(pen, scroll) {
    if (!state.sel) return;
    for (const chunk of this.visibleChunks(scroll)) {
      for (const { tile } of this.tilesOf(chunk)) {
        chunk.rows.forEach((row, slot) => {
          if (!state.sel.startsWith(`${row.group}:`)) return;
          const wanted = Number(state.sel.split(":")[1]);
          const at = tile.row.indexOf(wanted, tile.lane[slot]);
          if (at < 0 || at >= tile.lane[slot + 1]) return;
          const x0 = GUTTER + (tile.start[at] - this.view.from) * this.scale;
          const x1 = GUTTER + (tile.end[at] - this.view.from) * this.scale;
          pen.strokeStyle = themed("accent");
          pen.lineWidth = 2;
          pen.strokeRect(Math.max(x0, GUTTER) - 1, row.top + AXIS - scroll - 1,
            Math.max(Math.min(x1, this.width) - Math.max(x0, GUTTER), 2) + 1, row.height + 2);
        });
      }
    }
  }

  /** The row and the moment of a point of the canvas. */
  place(x, y) {
    const top = y - AXIS + this.node.scrollTop;
    const row = x < GUTTER || y < AXIS ? null
      : this.rows.find((one) => top >= one.top && top < one.bottom);
    return { row, at: this.view.from + (x - GUTTER) / this.scale };
  }

  /** What is under a point of the canvas, or null. */
  at(x, y) {
    const { row, at } = this.place(x, y);
    if (!row) return null;
    const chunk = this.visibleChunks(this.node.scrollTop).find(({ rows }) => rows.includes(row));
    for (const { tile, from, to } of chunk ? this.tilesOf(chunk) : []) {
      if (at < from || at > to) continue;
      const i = itemAt(tile, chunk.rows.indexOf(row), at, 1.5 / this.scale);
      if (i >= 0) return { row, tile, i };
    }
    return null;
  }

  hover(x, y) {
    const found = this.at(x, y);
    const text = found ? about(found) : this.valueAt(x, y);
    this.tip.hidden = !text;
    this.canvas.style.cursor = found ? "pointer" : "default";
    if (!text) return;
    fill(this.tip, text);
    const box = this.node.getBoundingClientRect();
    this.tip.style.left = `${Math.min(box.left + x + 14, innerWidth - 320)}px`;
    this.tip.style.top = `${box.top + y + 16}px`;
  }

  /** The value of a counter under a point, as text; null without one. */
  valueAt(x, y) {
    const { row, at } = this.place(x, y);
    const value = row?.counter ? valueAt(row.counter, at) : null;
    return value === null ? null
      : [h("b", null, row.counter.text(value)), ` at ${when(at, this.view.to - this.view.from)}`];
  }

  click(x, y) {
    const found = this.at(x, y);
    if (!found) return go({ sel: "" });
    const { row, tile, i } = found;
    if (tile.row[i] >= 0) return go({ sel: `${row.group}:${tile.row[i]}` });
    const pad = (tile.end[i] - tile.start[i]) * 12;
    return go({ from: tile.start[i] - pad, to: tile.end[i] + pad });
  }
}

/** A slice, or how many are in a bucket, in a few words. */
function about({ row, tile, i }) {
  const name = NAMES[stateName(row.group, tile.code[i])] ?? "";
  const label = tile.labels[tile.label[i]] ?? "";
  return tile.row[i] < 0
    ? [h("b", null, `${count(tile.count[i])} slices`), name && `, mostly ${name}`, "; zoom in (W)"]
    : [h("b", null, label || name), label && name && label !== name ? ` ${name}` : "", " · ",
      duration(tile.end[i] - tile.start[i])];
}

function place(rows) {
  let at = 6;
  return rows.map((row) => {
    const top = at + (row.gap ?? 0);
    at = top + row.height + 4;
    return { ...row, top, bottom: top + row.height + 2 };
  });
}

function chunked(rows) {
  const chunks = [];
  for (const row of rows.filter((one) => !one.counter)) {
    const last = chunks.at(-1);
    if (last?.group === row.group && last.rows.length < CHUNK && !(row.gap > 0)) {
      last.rows.push(row);
      last.lanes.push(row.lane);
    } else {
      chunks.push({ group: row.group, rows: [row], lanes: [row.lane] });
    }
  }
  return chunks;
}
