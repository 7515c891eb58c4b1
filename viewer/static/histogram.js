/**
 * Durations by size, as bars over an axis. A bar's height is the square root of its count, so
 * that one among thousands is still seen.
 *
 * @typedef {Object} Bucket
 * @property {number} from ns
 * @property {number|null} to null: no limit
 * @property {number} count
 */

import { h } from "./dom.js";
import { count, duration } from "./format.js";

/** The report's bounds: 1, 2, 5, 10 … µs up to 100 s. */
const BOUNDS = [0, ...Array.from({ length: 25 }, (_, i) =>
  [1, 2, 5][i % 3] * 10 ** (3 + Math.floor(i / 3)))];
const SMALL_PX = 20;
const LARGE_PX = 88;
const LEAST_PX = 2;

/** The places of BOUNDS that any of the histograms needs. @param {Bucket[][]} histograms */
export function scaleOf(histograms) {
  const used = histograms.flat().map(({ from }) => BOUNDS.indexOf(from));
  return used.length ? { first: Math.min(...used), last: Math.max(...used) } : null;
}

/** What an axis covers, as text. */
export function spanOf({ first, last }) {
  return `${duration(BOUNDS[first])} to ${last + 1 < BOUNDS.length
    ? duration(BOUNDS[last + 1]) : "∞"}`;
}

/** A histogram for a table's cell; all cells of a column have one scale. */
export function histogram(buckets, scale) {
  if (!buckets?.length) return "";
  return h("span.histogram", null, bars(buckets, scale).map((bar) => drawn(bar, SMALL_PX)));
}

/** A histogram with the number above each bar and the bounds below. */
export function largeHistogram(buckets) {
  const scale = scaleOf([buckets ?? []]);
  if (!scale) return h("p.empty", null, "None.");
  return h("div.histogram.large", null, bars(buckets, scale).map((bar, i) => h("span", null,
    h("b", null, bar.count ? compact(bar.count) : ""), drawn(bar, LARGE_PX),
    h("small", null, !i || isDecade(bar.from) ? duration(bar.from) : ""))));
}

function bars(buckets, { first, last }) {
  const found = new Map(buckets.map((one) => [one.from, one]));
  const top = Math.max(...buckets.map((one) => one.count));
  return BOUNDS.slice(first, last + 1).map((from, i) => ({ count: 0, from,
    to: BOUNDS[first + i + 1] ?? null, ...found.get(from), top }));
}

function drawn({ from, to, count: number, top }, full) {
  const height = number ? Math.max(LEAST_PX, Math.sqrt(number / top) * full) : 1;
  return h(number ? "i" : "i.none", { style: { height: `${height}px` },
    title: `${duration(from)} to ${to === null ? "∞" : duration(to)}: ${count(number)}` });
}

function isDecade(ns) {
  return Number.isInteger(Math.log10(ns));
}

function compact(value) {
  return value.toLocaleString("en", { notation: "compact" });
}
