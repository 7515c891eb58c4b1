/** Numbers as people read them. */

const STEPS = [
  [1e3, 1, "ns"],
  [1e6, 1e3, "µs"],
  [1e9, 1e6, "ms"],
  [Number.MAX_VALUE, 1e9, "s"],
];

/** Three significant digits and the unit: `850 ns`, `1.25 ms`. */
export function duration(ns) {
  if (!ns) return "0";
  const [, scale, unit] = STEPS.find(([limit]) => ns < limit - limit / 2000);
  if (scale === 1) return `${Math.round(ns)} ns`;
  const value = ns / scale;
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${unit}`;
}

/** A moment since the start, with the digits that matter when `span` ns are on screen. */
export function moment(ns, span = 1e9) {
  const [, scale, unit] = STEPS.find(([limit]) => Math.max(Math.abs(ns), 1) < limit);
  if (!ns) return "0";
  const digits = Math.max(0, Math.min(9, Math.ceil(Math.log10(scale / Math.max(span, 1))) + 2));
  return `${(ns / scale).toFixed(digits)} ${unit}`;
}

export function count(value) {
  return value.toLocaleString("en");
}

export function size(bytes) {
  let value = bytes;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (value < 1000) return `${value.toFixed(unit === "B" ? 0 : 1)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} TB`;
}

/** Never 0 % of something, never 100 % of a part. */
export function share(part, whole) {
  if (!part || !whole) return "0 %";
  const percent = Math.round((part * 100) / whole);
  if (percent === 0) return "<1 %";
  return `${percent >= 100 && part < whole ? 99 : percent} %`;
}

/** The last parts of "path/to/file.py:12 function". */
export function site(text) {
  const match = /^(.*?):(\d+)(?: (.*))?$/.exec(text ?? "");
  if (!match) return text ?? "";
  return `${match[1].split("/").slice(-2).join("/")}:${match[2]}`;
}
