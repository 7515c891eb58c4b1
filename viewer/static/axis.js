/** The round moments of a time axis. */

import { isDay, sinceMinute } from "./clock.js";

const APART = { true: 170, false: 120 }; // pixels, about: a time of day takes more
const STEPS = [1, 2, 5, 10];

/**
 * @param {number} room pixels for the range
 * @returns {{at: number, step: number, x: number}[]} x: pixels from the range's beginning
 */
export function ticks(from, to, room) {
  const target = ((to - from) / room) * APART[isDay()];
  const power = 10 ** Math.floor(Math.log10(target));
  const step = STEPS.map((n) => n * power).find((n) => n >= target) ?? 10 * power;
  const found = [];
  const shift = sinceMinute() % step; // round moments are those of the clock that is shown
  for (let at = Math.ceil((from + shift) / step) * step - shift; at < to; at += step) {
    found.push({ at, step, x: ((at - from) / (to - from)) * room });
  }
  return found;
}
