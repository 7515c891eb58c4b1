/** Moments as text: since the recording's start or, when the user wants it, as time of day. */

import { moments } from "./format.js";
import { go, state } from "./state.js";

const MS = 1e6;
const MINUTE_MS = 60_000;
const DIGITS = 9; // of a second, down to ns
const DAY = "day";

/** When the recording began: ms since 1970, and ns more. A double cannot hold both. */
let began = null;

/** @param {string} unixNs the recording's start; "0" when the trace does not say it */
export function setStart(unixNs) {
  const ns = BigInt(unixNs);
  began = ns ? { ms: Number(ns / 1_000_000n), ns: Number(ns % 1_000_000n) } : null;
}

export function knowsDay() {
  return began !== null;
}

/** Whether moments are shown as time of day. */
export function isDay() {
  return state.clock === DAY && knowsDay();
}

/** ns from the last full minute to the recording's start, on the clock that is shown. */
export function sinceMinute() {
  return isDay() ? (began.ms % MINUTE_MS) * MS + began.ns : 0;
}

export function toggleClock() {
  if (knowsDay()) go({ clock: isDay() ? "" : DAY });
}

/** A moment, precise enough to find it again in `span` ns around it. */
export function when(ns, span = 0) {
  return whens([ns], span)[0];
}

/** Moments that are read together: all are written the same way. */
export function whens(column, span = 0) {
  if (!isDay()) return moments(column, span);
  const told = span || Math.max(...column) - Math.min(...column) || 100 * MS;
  const digits = Math.min(Math.max(Math.ceil(11 - Math.log10(told)), 0), DIGITS);
  return column.map((ns) => timeOfDay(Math.round(ns), digits));
}

/** `14:03:22.125`, in the browser's time zone. */
function timeOfDay(ns, digits) {
  const total = began.ns + ns;
  const ms = Math.floor(total / MS);
  const date = new Date(began.ms + ms);
  const [hours, minutes, seconds] = [date.getHours(), date.getMinutes(), date.getSeconds()]
    .map((value) => padded(value, 2));
  const fraction = padded(date.getMilliseconds(), 3) + padded(total - ms * MS, 6);
  return `${hours}:${minutes}:${seconds}${digits ? `.${fraction.slice(0, digits)}` : ""}`;
}

function padded(value, width) {
  return String(value).padStart(width, "0");
}
