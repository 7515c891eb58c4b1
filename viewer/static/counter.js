/**
 * A number over time, as an area below its steps.
 *
 * @typedef {Object} Counter
 * @property {[number, number][]} points moment and value, in order of time; a value holds until
 *   the next one
 * @property {number} until the moment up to which the last one holds
 * @property {(value: number) => string} text
 */

import { themed } from "./palette.js";

const INSIDE = 0.3; // how much of the colour the area has

/** The largest value. @param {Counter} counter */
export function topOf({ points }) {
  return points.reduce((top, [, value]) => Math.max(top, value), 0);
}

/** The value at a moment; null where it is not known. @param {Counter} counter */
export function valueAt({ points, until }, at) {
  const last = points.findLastIndex(([from]) => from <= at);
  return last < 0 || at > until ? null : points[last][1];
}

/**
 * Paints a counter into a lane.
 * @param {CanvasRenderingContext2D} pen
 * @param {Counter} counter
 */
export function drawCounter(pen, counter, { top, height }, { from, scale, left, right }) {
  const { points, until } = counter;
  const most = topOf(counter) || 1;
  const x = (at) => Math.min(Math.max(left + (at - from) * scale, left), right);
  const y = (value) => top + height - (value / most) * (height - 2);
  if (!points.length) return;
  const trace = () => points.forEach(([at, value], i) => {
    pen.lineTo(x(at), y(value));
    pen.lineTo(x(points[i + 1]?.[0] ?? until), y(value));
  });
  pen.beginPath();
  pen.moveTo(x(points[0][0]), top + height);
  trace();
  pen.lineTo(x(until), top + height);
  pen.fillStyle = pen.strokeStyle = themed("memory");
  pen.globalAlpha = INSIDE;
  pen.fill();
  pen.globalAlpha = 1;
  pen.beginPath();
  trace();
  pen.lineWidth = 1.25;
  pen.stroke();
}
