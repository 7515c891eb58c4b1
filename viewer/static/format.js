/** Numbers as people read them: the functions of tracer/units.py, with the same results. */

const SECOND = 1e9;
const UNITS = [[SECOND, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
const MOST_STEPS = 1000; // three decimals
const MOST_IN_COLUMN = 100;
const DIGITS = 3; // significant ones of a duration
const FEWEST = 2; // significant digits that a column leaves its smallest duration
const TENTH = SECOND / 10;

/** Three significant digits and the unit: `850 ns`, `1.25 ms`, `31.2 ms`, `1,204 s`. */
export function duration(ns) {
  const step = stepOf(ns, DIGITS);
  return written(ns, step, unitOf(rounded(ns, step)));
}

/**
 * Durations of a column: one unit and one number of decimals, so that they compare.
 * Where that would take more than two decimals, each has its own unit and three digits.
 */
export function durations(column) {
  const present = column.map(Math.abs).filter((ns) => Math.round(ns));
  const largest = present.reduce((a, b) => Math.max(a, b), 0);
  const smallest = present.reduce((a, b) => Math.min(a, b), largest);
  const most = stepOf(largest, DIGITS);
  const unit = unitOf(rounded(largest, most));
  const step = Math.min(most, stepOf(smallest, FEWEST));
  if (unit > step * MOST_IN_COLUMN) return column.map(duration);
  return column.map((ns) => written(ns, step, unit));
}

/** A time since the start, precise enough to find it again in `span` ns around it. */
export function moment(ns, span = 0) {
  return moments([ns], span)[0];
}

/**
 * Times since the start, all with the same unit and decimals.
 * They are precise to a hundredth of `span` or better; by default the column's own span, and
 * a tenth of a second for a moment that stands alone.
 */
export function moments(column, span = 0) {
  const latest = column.reduce((most, ns) => Math.max(most, Math.abs(Math.round(ns))), 0);
  const earliest = column.reduce((least, ns) => Math.min(least, Math.round(ns)), latest);
  const told = Math.round(span) || latest - earliest || Math.min(latest, TENTH);
  const step = Math.min(power(Math.max(Math.floor(told / 100), 1)), SECOND);
  const unit = unitOf(Math.min(rounded(latest, step), step * MOST_STEPS));
  return column.map((ns) => written(ns, Math.min(step, unit), unit));
}

/** The largest power of ten up to a whole number. */
function power(count) {
  return 10 ** (String(count).length - 1);
}

function stepOf(ns, digits) {
  let step = Math.max(power(Math.abs(Math.round(ns))) / 10 ** (digits - 1), 1);
  if (rounded(ns, step) >= step * 10 ** digits) step *= 10; // 999,600 ns are 1.00 ms
  return Math.min(step, SECOND);
}

function rounded(ns, step) {
  return Math.floor((Math.abs(Math.round(ns)) + Math.floor(step / 2)) / step) * step;
}

function unitOf(ns) {
  return UNITS.find(([unit]) => unit <= Math.max(ns, 1))[0];
}

function written(ns, step, unit) {
  if (!Math.round(ns)) return "0";
  const value = rounded(ns, step);
  const whole = Math.floor(value / unit);
  const decimals = String(unit / step).length - 1;
  const fraction = decimals
    ? `.${String((value - whole * unit) / step).padStart(decimals, "0")}` : "";
  const [, name] = UNITS.find(([one]) => one === unit);
  return `${ns < 0 ? "-" : ""}${count(whole)}${fraction} ${name}`;
}

export function count(value) {
  return value.toLocaleString("en");
}

/** Bytes as `812 B`, `4.3 MB`, `-1.0 kB`. */
export function size(bytes) {
  if (bytes < 0) return `-${size(-bytes)}`;
  if (bytes < 1000) return `${bytes} B`;
  let scale = 1000;
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    const tenths = Math.floor((bytes * 10 + scale / 2) / scale);
    if (tenths < 10_000 || unit === "TB") {
      return `${count(Math.floor(tenths / 10))}.${tenths % 10} ${unit}`;
    }
    scale *= 1000;
  }
  return "";
}

/** Something is never `0 %`, and a part is never `100 %`. */
export function share(part, whole) {
  if (!part || !whole) return "0 %";
  const percent = Math.floor((part * 100 + Math.floor(whole / 2)) / whole);
  if (percent === 0) return "<1 %";
  return `${percent >= 100 && part < whole ? 99 : percent} %`;
}

/**
 * The last parts of "path/to/file.py:12 function", a place in the user's code; then the
 * library's function that it was in, if there is one.
 */
export function site(text, via = "") {
  const match = /^(.*?):(\d+)(?: (.*))?$/.exec(text ?? "");
  const place = match ? `${match[1].split("/").slice(-2).join("/")}:${match[2]}` : text ?? "";
  return via ? `${place}, via ${via}` : place;
}
