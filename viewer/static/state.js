/**
 * The state of the view, kept in the address bar, so that a link reproduces it.
 *
 * @typedef {Object} State
 * @property {string} page
 * @property {number} from ns since the recording's start
 * @property {number} to
 * @property {string} sel "group:row" of the selected slice, or ""
 */

const DEFAULTS = { page: "overview", sel: "", coro: "", site: "", task: "", thread: "",
  find: "", function: "", file: "", shape: "", measure: "", clock: "" };
const NUMBERS = ["from", "to"];
const listeners = new Set();
let whole = 1;

/** What the address says that nobody understands. */
let strange = [];

/** @type {State & Object<string, any>} */
export const state = { ...DEFAULTS, from: 0, to: 1 };

/** Reads the state from the address; `duration` ns is the whole recording. */
export function begin(duration) {
  whole = Math.max(duration, 1);
  read();
  addEventListener("hashchange", () => {
    const before = { ...state };
    read();
    tell(before);
  });
}

export function wholeRange() {
  return whole;
}

export function isWhole() {
  return state.from <= 0 && state.to >= whole;
}

/** The parts of the address that mean nothing here, since the last link. */
export function notUnderstood() {
  return strange;
}

/** The range as a query for the server; empty for the whole recording. */
export function rangeQuery() {
  return isWhole() ? {} : { from: Math.round(state.from), to: Math.round(state.to) };
}

/** Changes the state. `replace` leaves no step in the browser's history. */
export function go(changes, { replace = false } = {}) {
  const before = { ...state };
  strange = [];
  Object.assign(state, changes);
  limit();
  const address = link({});
  if (address !== location.hash) {
    history[replace ? "replaceState" : "pushState"](null, "", address);
  }
  tell(before);
}

/** Goes to another page, which keeps only the range, the selection and the clock. */
export function toPage(page, changes = {}) {
  const { from, to, sel, clock } = state;
  go({ ...DEFAULTS, page, from, to, sel, clock, ...changes });
}

/** The address of the state with changes. */
export function link(changes) {
  const next = { ...state, ...changes };
  const query = new URLSearchParams();
  if (next.from > 0 || next.to < whole) {
    for (const name of NUMBERS) query.set(name, String(Math.round(next[name])));
  }
  for (const name of Object.keys(DEFAULTS)) {
    if (name !== "page" && next[name] !== "") query.set(name, next[name]);
  }
  const text = query.toString();
  return `#/${next.page}${text ? `?${text}` : ""}`;
}

/** Calls back with the state before, on every change, until the returned function is called. */
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function read() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const told = new URLSearchParams(query ?? "");
  Object.assign(state, DEFAULTS, { from: 0, to: whole });
  if (path) state.page = path;
  strange = [];
  for (const [name, value] of told) {
    if (NUMBERS.includes(name) && value && Number.isFinite(Number(value))) state[name] = Number(value);
    else if (name in DEFAULTS && name !== "page") state[name] = value;
    else strange.push(`${name}=${value}`);
  }
  limit();
}

function limit() {
  const span = Math.min(Math.max(state.to - state.from, 10), whole);
  state.from = Math.min(Math.max(state.from, 0), whole - span);
  state.to = state.from + span;
}

function tell(before) {
  for (const listener of [...listeners]) listener(before);
}
