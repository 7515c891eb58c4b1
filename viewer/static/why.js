/** The explanation of one slice: what it was, what caused it, where its arrows lead. */

import { ask, isGone } from "./api.js";
import { when, whens } from "./clock.js";
import { fill, h, marked } from "./dom.js";
import { duration, durations, share, site, size } from "./format.js";
import { canOpen, openPerfetto } from "./perfetto.js";
import { go, link, state, toPage } from "./state.js";
import { reveal } from "./timeline.js";

const MOST_DEPTH = 3;
const MOST_PARTS = 5;
const SMALL = 100; // parts below a hundredth of the wait are summed up
const SITES = new Set(["site", "owner_site"]);

/** Fills a node with the explanation of the selected slice. */
export async function explain(node) {
  const wanted = state.sel;
  const [group, row] = wanted.split(":");
  let told;
  try {
    told = await ask("slice", { group, row });
  } catch (error) {
    node.classList.add("why");
    fill(node, h("h2", null, "No explanation"), h("p.whose", null, isGone(error)
      ? "The server has ended." : `${error.message}.`), h("div.actions", null, close()));
    return;
  }
  if (state.sel !== wanted) return;
  reveal(told.group, told.lane);
  node.classList.add("why");
  fill(node,
    h("h2", null, told.title),
    h("p.whose", null, [told.whose, told.kind !== told.title && told.kind]
      .filter(Boolean).join(" · ")),
    h("dl", null,
      line("lasted", h("b", null, duration(told.ns)), told.unfinished && " (unfinished)"),
      line("from", when(told.start_ns, told.ns)),
      line("to", when(told.start_ns + told.ns, told.ns))),
    told.why && h("p.sentence", null, marked(told.why.text)),
    actions(told),
    told.why && causes("Where the time went", told.why.causes, told.why.ns),
    causes("What it did", told.did, told.ns),
    told.why && path(told.why),
    stacks(told),
    owners(told),
    links(told),
    rest(told));
}

function line(name, ...content) {
  return [h("dt", null, name), h("dd", null, content)];
}

/** A range that has the slice in its middle. */
export function around(told) {
  const pad = Math.max(told.ns * 0.6, 500);
  return { from: told.start_ns - pad, to: told.start_ns + told.ns + pad };
}

function actions(told) {
  return h("div.actions", null,
    h("button", { title: "F", onclick: () => go(around(told)) }, "Zoom to the slice"),
    state.page === "why" && told.why && h("button", { onclick: () => {
      const { coro, site: place_ } = told.why.waiter;
      showWait(told, told.ns, { coro, site: place_ });
    } },
      "Show on the timeline"),
    canOpen() && h("button", { onclick: () => openPerfetto(told) }, "Show in Perfetto"),
    h("button", {
      onclick: (event) => {
        navigator.clipboard?.writeText(location.href.split("#")[0] + link({}));
        event.target.textContent = "Copied";
      },
    }, "Copy link"),
    close());
}

function close() {
  return h("button", { title: "Escape", onclick: () => go({ sel: "" }) }, "Close");
}

/** Shows a wait where it is drawn: with the tasks of its coroutine, or with the threads. */
export function showWait({ group, row, start_ns: start }, ns, task) {
  const changes = { ...around({ start_ns: start, ns }), sel: `${group}:${row}` };
  if (group === "tasks") toPage("tasks", { ...changes, ...task });
  else toPage("threads", changes);
}

/** The causes add up to the wait; each may have parts of its own. */
function causes(title, found, whole) {
  if (!found.length) return null;
  const lines = tree(found, whole, 0);
  const texts = durations(lines.map(({ one }) => one.ns));
  return [
    h("h3", null, title),
    h("div.parts", null, lines.map(({ one, depth }, i) => [
      h("span", { style: { paddingLeft: `${depth * 14}px` }, title: one.site }, marked(one.text)),
      h("span.num", null, texts[i]),
      h("span.num.faint", null, share(one.ns, whole)),
      depth === 0 && h("div.track", null, h("i", { style: { width: `${
        (one.ns * 100) / Math.max(whole, 1)}%` } })),
    ])),
  ];
}

/** Causes and their parts, each with its depth; small ones are summed up. */
function tree(found, whole, depth) {
  const shown = found.slice(0, MOST_PARTS).filter((one, i) => !i || one.ns * SMALL >= whole);
  const rest = found.slice(shown.length);
  if (rest.length > 1) {
    const ns = rest.reduce((sum, one) => sum + one.ns, 0);
    shown.push({ text: `${rest.length} smaller parts`, ns, site: "", parts: [] });
  } else shown.push(...rest);
  return shown.flatMap((one) => [{ one, depth },
    ...(depth < MOST_DEPTH ? tree(one.parts, whole, depth + 1) : [])]);
}

/** The steps that had to finish first, the latest at the top. */
function path({ path: steps }) {
  if (!steps.length) return null;
  const begins = whens(steps.map((step) => step.start_ns));
  const lasted = durations(steps.map((step) => step.end_ns - step.start_ns));
  return [
    h("h3", null, "What had to happen first"),
    h("ul.steps", null, steps.map((step, i) => h("li", { title: step.site },
      h("a", { href: link({ from: step.start_ns - pad(step), to: step.end_ns + pad(step) }) },
        begins[i]), " ", marked(step.text), " ",
      h("span.faint", null, step.end_ns > step.start_ns && lasted[i])))),
  ];
}

function pad(step) {
  return Math.max((step.end_ns - step.start_ns) * 0.4, 1000);
}

/** Who held the lock when the wait began and when it ended, each with the stack of the release. */
function owners({ args, holders }) {
  if (holders.length) return holders.map((hold) => holder(hold));
  const told = args.owner_name !== undefined || args.owner_site !== undefined;
  if (!told) return null;
  return [
    h("h3", null, "Holder when the wait began"),
    h("dl", null,
      line("holder", args.owner_name ?? unknown()),
      line("acquired at", args.owner_site ? place(args.owner_site) : unknown()),
      line("released", unknown("not in the trace"))),
  ];
}

const ROLES = { began: "when the wait began", granted: "just before the waiter acquired it",
  gave_up: "when the waiter gave up", ended: "when the wait ended",
  still: "when the recording ended" };

function holder(hold) {
  const from = hold.start_ns - hold.ns * 0.1;
  return [
    h("h3", null, `Holder ${hold.roles.map((role) => ROLES[role]).join(", and ")}`),
    h("dl.holder", null,
      line("holder", hold.who || unknown()),
      line("acquired at", hold.site ? place(hold.site) : unknown()),
      line("held for", h("a", { href: link({ page: "locks", sel: `locks:${hold.row}`, from,
        to: from + hold.ns * 1.2 }) }, duration(hold.ns)), !hold.released && " (not released)")),
    h("h4", null, "Stack of the holder at the release"),
    hold.stack.length ? frames(hold.stack)
      : h("p.hint", null, hold.released ? "unknown" : "it was still held when the trace ended"),
  ];
}

function unknown(text = "unknown") {
  return h("span.faint", null, text);
}

function place(text) {
  return h("code", { title: text }, site(text));
}

function frames(stack) {
  return h("ol", null, stack.map((frame) => h("li", { title: frame },
    `${site(frame)} ${frame.split(" ").slice(1).join(" ")}`)));
}

function stacks({ stack, args, title }) {
  const own = stack.length ? stack : args.site ? [args.site] : [];
  return own.length ? [
    h("h3", null, title.includes("wait") || title.includes("await") ? "Where it waited" : "Where"),
    frames(own),
  ] : null;
}

function links(told) {
  if (!told.links.length) return null;
  return [
    h("h3", null, "Arrows"),
    h("dl", null, told.links.map((one) => line(one.what,
      one.row >= 0
        ? h("a", { href: link({ sel: `${one.group}:${one.row}` }) }, one.title)
        : one.title,
      h("span.faint", null, ` at ${when(one.start_ns, told.ns)}`)))),
  ];
}

function rest({ args }) {
  const shown = Object.entries(args).filter(([name]) => name !== "owner_name" &&
    name !== "owner_site");
  if (!shown.length) return null;
  return [
    h("h3", null, "Arguments"),
    h("dl", null, shown.map(([name, value]) =>
      line(name, SITES.has(name) ? h("code", { title: value }, site(value))
        : name.endsWith("_bytes") ? size(value) : String(value)))),
  ];
}
