/**
 * Tiles of lanes: fetched and decoded once, found again at any zoom.
 *
 * @typedef {Object} Tile
 * @property {number} level a pixel is 2^level ns
 * @property {boolean} exact zooming in shows no more
 * @property {Float64Array} start ns since the recording's start
 * @property {Float64Array} end
 * @property {Int32Array} lane items of lane k are [lane[k], lane[k + 1])
 * @property {Int32Array} row -1 is a bucket of several slices
 * @property {Int32Array} count
 * @property {Int32Array} label
 * @property {Uint8Array} code
 * @property {Uint8Array} shares 16 for each bucket
 * @property {Int32Array} bucket by item: which bucket it is
 * @property {string[]} labels
 */

import { tileBytes } from "./api.js";

export const PIXELS = 1024;
export const CHUNK = 16; // lanes requested together
const MOST_TILES = 400;
const MOST_ASKED = 4;
const MOST_LEVELS_UP = 46;
export const STATES = 16;

/** @type {Map<string, Tile|null>} null: requested, or not available */
const tiles = new Map();
let asked = 0;
/** @type {Map<string, () => Promise<void>>} newest last */
let waiting = new Map();
const listeners = new Set();

/** Calls back when tiles have come. */
export function onTiles(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The level at which a pixel of the screen is a pixel of a tile, or up to half of one. */
export function levelFor(span, width) {
  return Math.max(0, Math.floor(Math.log2(span / Math.max(width, 1))));
}

/**
 * The best available tiles for a range; better ones are requested.
 * @returns {{tile: Tile, from: number, to: number}[]} each with the part of the range it is for
 */
export function tilesFor(group, lanes, from, to, width) {
  const level = levelFor(to - from, width);
  const length = PIXELS * 2 ** level;
  const found = [];
  const first = Math.max(0, Math.floor(from / length));
  for (let index = first; index * length < to; index++) {
    const part = { from: Math.max(from, index * length), to: Math.min(to, (index + 1) * length) };
    const tile = best(group, lanes, level, index);
    if (tile) found.push({ tile, ...part });
  }
  return found;
}

function best(group, lanes, level, index) {
  const own = tiles.get(key(group, lanes, level, index));
  if (own) return touch(key(group, lanes, level, index), own);
  let coarse = null;
  for (let up = 1, at = index; up <= MOST_LEVELS_UP; up++) {
    at = Math.floor(at / 2);
    const tile = tiles.get(key(group, lanes, level + up, at));
    if (tile?.exact) return tile;
    coarse ??= tile ?? null;
    if (at === 0 && up > 40 - level) break;
  }
  if (own === undefined) want(group, lanes, level, index);
  return coarse;
}

function touch(name, tile) {
  tiles.delete(name);
  tiles.set(name, tile);
  return tile;
}

function want(group, lanes, level, index) {
  const name = key(group, lanes, level, index);
  waiting.delete(name);
  waiting.set(name, async () => {
    let tile = null;
    try {
      const bytes = await tileBytes(group, lanes, level, index);
      tile = bytes && decode(bytes, level);
      // A shared file has no finer ones: use a coarser one.
      const coarser = key(group, lanes, level + 1, Math.floor(index / 2));
      if (!bytes && level < MOST_LEVELS_UP && !tiles.has(coarser)) {
        want(group, lanes, level + 1, Math.floor(index / 2));
      }
    } catch (error) {
      console.warn(`no tile: ${error.message}`);
    }
    tiles.set(name, tile);
    while (tiles.size > MOST_TILES) tiles.delete(tiles.keys().next().value);
  });
  pump();
}

/** The newest requests are on screen, so they go first, and old ones are dropped. */
function pump() {
  while (asked < MOST_ASKED && waiting.size) {
    const [name, load] = [...waiting].at(-1);
    waiting.delete(name);
    tiles.set(name, null);
    asked++;
    load().finally(() => {
      asked--;
      if (waiting.size > 32) waiting = new Map([...waiting].slice(-32));
      for (const listener of listeners) listener();
      pump();
    });
  }
}

function key(group, lanes, level, index) {
  return `${group}/${lanes.join(",")}/${level}/${index}`;
}

/** @returns {Tile} */
export function decode(bytes, level) {
  const size = new DataView(bytes).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, size)));
  const { items, lanes, exact, labels } = head;
  let at = 4 + size;
  const take = (type, length) => {
    const column = new type(bytes, at, length);
    at += length * type.BYTES_PER_ELEMENT;
    return column;
  };
  const tile = {
    level, exact, labels,
    start: take(Float64Array, items),
    end: take(Float64Array, items),
    lane: take(Int32Array, lanes + 1),
    row: take(Int32Array, items),
    count: take(Int32Array, items),
    label: take(Int32Array, items),
    code: take(Uint8Array, items),
    shares: new Uint8Array(bytes, at),
    bucket: new Int32Array(items),
  };
  for (let i = 0, buckets = 0; i < items; i++) tile.bucket[i] = tile.row[i] < 0 ? buckets++ : -1;
  return tile;
}
