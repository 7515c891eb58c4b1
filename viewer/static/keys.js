/** The keyboard, as in Perfetto: W A S D, /, ?, F, and numbers for pages. */

import { ask } from "./api.js";
import { toggleClock } from "./clock.js";
import { fill, h } from "./dom.js";
import { panned, zoomed } from "./gestures.js";
import { processName } from "./processes.js";
import { go, state, toPage, wholeRange } from "./state.js";
import { timelines } from "./timeline.js";
import { isWalk, walk } from "./walk.js";
import { around } from "./why.js";

const SPEED = 1.6; // spans of the screen per second
const ZOOM = 5; // times per second
const KEYS = [
  ["W  S", "zoom in, out"],
  ["A  D", "pan left, right"],
  ["←  →", "the slice before, after the selected one"],
  ["↑  ↓", "a slice in the lane above, below"],
  ["F", "zoom to the selected slice"],
  ["0", "show the whole recording"],
  ["T", "time of day, or time since the start"],
  ["/", "search: threads, coroutines, locks, functions"],
  ["1 … 9", "the first nine pages, from left to right"],
  ["Esc", "deselect"],
  ["drag", "pan"],
  ["Shift + drag", "choose a range"],
  ["Ctrl + wheel", "zoom at the pointer"],
  ["Shift + wheel", "pan"],
  ["click dense slices", "zoom in on them"],
];
const held = new Set();
/** Where the keys have moved to, while they are held. */
let moving = null;
let frame = 0;

/** @param {string[]} pages */
export function attachKeys(pages) {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const key = event.key.toLowerCase();
    if ("wasd".includes(key)) {
      held.add(key);
      if (!moving) run();
    } else if (key === "/") search();
    else if (key === "?") help();
    else if (key === "escape") go({ sel: "" });
    else if (isWalk(key)) walk(key);
    else if (key === "f") zoomToSelected();
    else if (key === "t") toggleClock();
    else if (key === "0") go({ from: 0, to: wholeRange() });
    else if (pages[Number(key) - 1]) toPage(pages[Number(key) - 1]);
    else return;
    event.preventDefault();
  });
  addEventListener("keyup", (event) => {
    held.delete(event.key.toLowerCase());
    if (!held.size) rest();
  });
  addEventListener("blur", () => {
    held.clear();
    rest();
  });
}

function isTyping(target) {
  return document.querySelector("dialog[open]") !== null ||
    (target instanceof Element && target.matches("input, select, textarea"));
}

/** Moves while a key is held, by elapsed time and not by key repeats. */
function run() {
  let before = performance.now();
  moving = { from: state.from, to: state.to };
  const step = (now) => {
    // The time of a frame may be earlier than that of the key: then no time has passed.
    const seconds = Math.min(Math.max(now - before, 0) / 1000, 0.05) || 0.016;
    before = now;
    const by = (moving.to - moving.from) * SPEED * seconds;
    const middle = (moving.from + moving.to) / 2;
    if (held.has("w")) moving = zoomed(moving, middle, ZOOM ** -seconds);
    if (held.has("s")) moving = zoomed(moving, middle, ZOOM ** seconds);
    if (held.has("a")) moving = panned(moving, -by);
    if (held.has("d")) moving = panned(moving, by);
    for (const timeline of timelines()) timeline.move(moving.from, moving.to);
    frame = requestAnimationFrame(step);
  };
  frame = requestAnimationFrame(step);
}

function rest() {
  const last = moving;
  moving = null;
  cancelAnimationFrame(frame);
  if (last) go(last, { replace: true });
}

async function zoomToSelected() {
  if (!state.sel) return;
  const [group, row] = state.sel.split(":");
  const told = await ask("slice", { group, row }).catch(() => null); // the explanation says why
  if (told) go(around(told));
}

function show(...content) {
  const dialog = h("dialog", { onclose: () => dialog.remove(),
    onclick: (event) => event.target === dialog && dialog.close() }, content);
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function help() {
  show(h("div.pad", null, h("h2", null, "Keys"), h("p", null, " "),
    h("div.keys", null, KEYS.map(([key, what]) => [
      h("span", null, key.split("  ").map((one) => [h("kbd", null, one), " "])),
      h("span", null, what)]))));
}

export async function search() {
  const input = h("input", { placeholder: "Thread, coroutine, lock, function …",
    "aria-label": "Search" });
  const list = h("ul", { role: "listbox" });
  const dialog = show(input, list);
  let places = [];
  try {
    places = await everything();
  } catch (error) {
    fill(list, h("li.hint", null, error.message));
    return;
  }
  let chosen = 0;
  let found = [];
  const paint = () => {
    const text = input.value.toLowerCase();
    found = places.filter((one) => one.text.toLowerCase().includes(text)).slice(0, 40);
    chosen = Math.min(chosen, Math.max(found.length - 1, 0));
    fill(list, !found.length && h("li.hint", null, `Nothing is called “${input.value}”. `,
      "The search knows coroutines, threads, locks, blocking calls and functions."),
    found.map((one, i) => h("li", { role: "option", "aria-selected": i === chosen
      ? "true" : "false", onclick: () => take(i) }, one.text, h("small", null, one.kind))));
  };
  const take = (i) => {
    dialog.close();
    if (found[i]) toPage(found[i].page, found[i].changes);
  };
  input.addEventListener("input", () => {
    chosen = 0;
    paint();
  });
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      chosen = Math.min(Math.max(chosen + step, 0), found.length - 1);
      paint();
      event.preventDefault();
    } else if (event.key === "Enter") take(chosen);
  });
  paint();
}

async function everything() {
  const { tasks, threads, locks, cpu, io } = await ask("report");
  return [
    ...tasks.map((one) => ({ kind: "coroutine", text: one.coro, page: "tasks",
      changes: { coro: one.coro, site: one.site } })),
    ...threads.map((one) => ({ kind: ["thread", processName(one.process)].filter(Boolean).join(" of "), text: one.name, page: "threads",
      changes: { thread: `${one.pid}:${one.tid}`, sel: "" } })),
    ...locks.map((one) => ({ kind: "lock", text: `${one.kind} ${one.site}`, page: "locks",
      changes: { site: one.site, sel: "" } })),
    ...io.map((one) => ({ kind: "call", text: one.callable, page: "io",
      changes: { find: one.callable } })),
    ...cpu.slice(0, 400).map((one) => ({ kind: "function", text: one.function, page: "cpu",
      changes: { function: one.function, file: one.file } })),
  ];
}
