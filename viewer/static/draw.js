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
 * Paints a part of a lane; returns how many buckets (several slices in one pixel) it had.
 * @param {CanvasRenderingContext2D} pen
 */
export function drawLane(pen, tile, part, lane, view) {
  const { from, scale, left } = view;
  const clipLeft = left + (part.from - from) * scale;
  const clipRight = Math.min(left + (part.to - from) * scale, view.right);
  let buckets = 0;
  let at = tile.lane[lane.slot];
  const until = tile.lane[lane.slot + 1];
  at = firstVisible(tile, at, until, part.from);
  pen.font = FONT;
  pen.textBaseline = "middle";
  for (; at < until && tile.start[at] < part.to; at++) {
    if (tile.end[at] < part.from) continue;
    const x0 = Math.max(left + (tile.start[at] - from) * scale, clipLeft);
    const x1 = Math.min(left + (tile.end[at] - from) * scale, clipRight);
    if (tile.row[at] < 0) {
      buckets++;
      drawBucket(pen, tile, at, lane, x0, Math.max(x1 - x0, 1));
    } else {
      drawSlice(pen, tile, at, lane, x0, Math.max(x1 - x0, 1), view.find);
    }
  }
  return buckets;
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

function drawSlice(pen, tile, at, lane, x, width, find) {
  const name = stateName(lane.group, tile.code[at]);
  const label = tile.labels[tile.label[at]] ?? "";
  const low = isLow(name);
  const height = low ? Math.round(lane.height * 0.45) : lane.height;
  const y = lane.top + lane.height - height;
  pen.globalAlpha = find && !label.toLowerCase().includes(find) ? 0.18 : 1;
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
