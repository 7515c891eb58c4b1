/** Paints the items of tiles into a lane. */

import { colourOf, isLow, patternOf, stateName, themed } from "./palette.js";
import { STATES } from "./tiles.js";

const LABEL_FROM = 38; // pixels: narrower slices have no text
const PATTERN_FROM = 5;
const FONT = '11px system-ui, "Segoe UI", sans-serif';

/**
 * @typedef {Object} Lane
 * @property {string} group
 * @property {number} slot which lane of the tile
 * @property {number} top
 * @property {number} height
 *
 * @typedef {Object} View
 * @property {number} from ns at the left border
 * @property {number} scale pixels per ns
 * @property {number} left
 * @property {number} right
 * @property {string} find text that slices must have, or ""
 */

/**
 * What a lane shows of a range, from left to right: its slices, and buckets (several slices in
 * one pixel). A slice that goes on in the next tile comes once, in its full width.
 * @param {{tile: Tile, from: number, to: number}[]} parts in order
 * @param {(tile: Tile, i: number, x: number, width: number) => void} visit
 */
export function eachPiece(parts, slot, { from, scale, left, right }, visit) {
  const place = (at) => left + (at - from) * scale;
  let drawn = [];
  for (const part of parts) {
    const { tile } = part;
    const clipLeft = place(part.from);
    const clipRight = Math.min(place(part.to), right);
    const until = tile.lane[slot + 1];
    const longer = [];
    let at = firstVisible(tile, tile.lane[slot], until, part.from);
    for (; at < until && tile.start[at] < part.to; at++) {
      if (tile.end[at] < part.from) continue;
      const row = tile.row[at];
      if (row >= 0 && tile.end[at] > part.to) longer.push(row);
      if (drawn.includes(row)) continue;
      const x = Math.max(place(tile.start[at]), clipLeft);
      const end = Math.min(place(tile.end[at]), row < 0 ? clipRight : right);
      visit(tile, at, x, Math.max(end - x, 1));
    }
    drawn = longer;
  }
}

/**
 * Paints a lane; returns how many buckets it had, and how many slices with the text to find.
 * @param {CanvasRenderingContext2D} pen
 */
export function drawLane(pen, parts, lane, view) {
  let [buckets, hits] = [0, 0];
  pen.font = FONT;
  pen.textBaseline = "middle";
  eachPiece(parts, lane.slot, view, (tile, at, x, width) => {
    if (tile.row[at] < 0) {
      buckets++;
      drawBucket(pen, tile, at, lane, x, width);
    } else {
      const isFound = has(tile, at, view.find);
      hits += isFound;
      drawSlice(pen, tile, at, lane, x, width, isFound);
    }
  });
  return { buckets, hits };
}

/** The first item that may still be visible; starts are in order, ends are not. */
function firstVisible(tile, low, until, from) {
  const first = low;
  let high = until;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (tile.start[middle] < from) low = middle + 1;
    else high = middle;
  }
  return Math.max(first, low - STATES);
}

function has(tile, at, text) {
  return !text || (tile.labels[tile.label[at]] ?? "").toLowerCase().includes(text);
}

function drawSlice(pen, tile, at, lane, x, width, isFound) {
  const name = stateName(lane.group, tile.code[at]);
  const label = tile.labels[tile.label[at]] ?? "";
  const low = isLow(name);
  const height = low ? Math.round(lane.height * 0.45) : lane.height;
  const y = lane.top + lane.height - height;
  pen.globalAlpha = isFound ? 1 : 0.18;
  pen.fillStyle = colourOf(name);
  // A hairline of background between neighbours, where there is room for it.
  pen.fillRect(x, y, width > 3 ? width - 0.75 : width, height);
  if (width >= PATTERN_FROM) {
    const pattern = patternOf(pen, name);
    if (pattern) {
      pen.fillStyle = pattern;
      pen.fillRect(x, y, width - 0.75, height);
    }
  }
  if (width >= LABEL_FROM && lane.height >= 11) {
    pen.fillStyle = themed(low ? "text-2" : "on-state");
    drawText(pen, label, x + 4, lane.top + lane.height / 2 + (low ? lane.height * 0.27 : 0.5),
      width - 8, low);
  }
  pen.globalAlpha = 1;
}

/** The shares of the states in one pixel, one above the other. */
function drawBucket(pen, tile, at, lane, x, width) {
  const shares = tile.bucket[at] * STATES;
  let y = lane.top + lane.height;
  for (let state = 1; state < STATES; state++) {
    const part = tile.shares[shares + state];
    if (!part) continue;
    const name = stateName(lane.group, state);
    const height = (part / 255) * lane.height * (isLow(name) ? 0.45 : 1);
    pen.fillStyle = colourOf(name);
    pen.fillRect(x, y - height, width, height);
    y -= height;
  }
}

const widths = new Map();

/** Text cut to a width. Widths are kept: measuring is the expensive part of text. */
export function drawText(pen, text, x, y, room, faint = false) {
  if (faint && room < 46) return;
  const width = textWidth(pen, text);
  if (width > room) {
    const keep = Math.floor((room / width) * text.length) - 1;
    if (keep < 4) return;
    text = `${text.slice(0, keep)}…`;
  }
  pen.fillText(text, x, y);
}

/** A name cut to a width in its middle: what distinguishes it is mostly at its end. */
export function shortened(pen, text, room) {
  let keep = Math.min(Math.floor((room / textWidth(pen, text)) * text.length), text.length);
  let cut = text;
  while (textWidth(pen, cut) > room && keep > 2) {
    const tail = Math.ceil(keep * 0.6);
    cut = `${text.slice(0, keep - tail)}…${text.slice(-tail)}`;
    keep--;
  }
  return cut;
}

function textWidth(pen, text) {
  const key = pen.font + text;
  let width = widths.get(key);
  if (width === undefined) {
    if (widths.size > 5000) widths.clear();
    width = pen.measureText(text).width;
    widths.set(key, width);
  }
  return width;
}

/** The item at a moment of a lane: its index, or -1. */
export function itemAt(tile, slot, at, pixelNs) {
  const until = tile.lane[slot + 1];
  let found = -1;
  for (let i = firstVisible(tile, tile.lane[slot], until, at - pixelNs); i < until; i++) {
    if (tile.start[i] > at + pixelNs) break;
    const end = Math.max(tile.end[i], tile.start[i] + pixelNs);
    if (tile.start[i] - pixelNs / 2 <= at && at < end) found = i;
  }
  return found;
}
