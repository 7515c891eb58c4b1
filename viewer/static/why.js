/** The explanation of one slice: what it was, who was in the way, where its arrows lead. */

import { ask } from "./api.js";
import { fill, h } from "./dom.js";
import { duration, moment, share, site } from "./format.js";
import { canOpen, openPerfetto } from "./perfetto.js";
import { go, link, state, toPage } from "./state.js";

const MOST_DEPTH = 3;
const MOST_PARTS = 5;
const SITES = new Set(["site", "owner_site"]);

/** Fills a node with the explanation of the selected slice. */
export async function explain(node) {
  const wanted = state.sel;
  const [group, row] = wanted.split(":");
  let told;
  try {
    told = await ask("slice", { group, row });
  } catch (error) {
    fill(node, h("p.empty", null, error.message));
    return;
  }
  if (state.sel !== wanted) return;
  node.classList.add("why");
  fill(node,
    h("h2", null, told.title),
    h("p.whose", null, [told.whose, told.kind !== told.title && told.kind]
      .filter(Boolean).join(" · ")),
    h("dl", null,
      line("lasted", h("b", null, duration(told.ns)), told.unfinished && " (unfinished)"),
      line("from", moment(told.start_ns, told.ns)),
      line("to", moment(told.start_ns + told.ns, told.ns))),
    actions(told),
    told.why && causes(told.why),
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
    h("button", { title: "F", onclick: () => go(around(told)) }, "Zoom to it"),
    state.page === "why" && told.why && h("button", { onclick: () => onTimeline(told) },
      "On its timeline"),
    canOpen() && h("button", { onclick: () => openPerfetto(told) }, "Show in Perfetto"),
    h("button", {
      onclick: (event) => {
        navigator.clipboard?.writeText(location.href.split("#")[0] + link({}));
        event.target.textContent = "Copied";
      },
    }, "Copy link"),
    h("button", { title: "Escape", onclick: () => go({ sel: "" }) }, "Close"));
}

function onTimeline({ group, why: { waiter }, ...told }) {
  const { coro, site: place_ } = waiter;
  if (group === "tasks") toPage("tasks", { ...around(told), coro, site: place_ });
  else toPage("threads", around(told));
}

/** The causes add up to the wait; each may be made of parts itself. */
function causes({ causes: found, ns }) {
  return found.length ? [
    h("h3", null, "Where the time went"),
    h("div.parts", null, found.map((one) => cause(one, ns, 0))),
  ] : null;
}

function cause(one, whole, depth) {
  const hot = one.samples[0];
  return [
    h("span", { style: { paddingLeft: `${depth * 14}px` }, title: one.site },
      one.who || one.kind,
      one.who && h("span.faint", null, ` ${one.kind}`),
      one.count > 1 && h("span.faint", null, ` ×${one.count}`),
      one.holds_gil && h("span.faint", null, " keeps the GIL"),
      hot && h("div.sub", null, `in ${hot.function}, ${hot.samples} of ${hot.of} samples`)),
    h("span.num", null, duration(one.ns)),
    h("span.num.faint", null, share(one.ns, whole)),
    depth === 0 && h("div.track", null, h("i", { style: { width: `${
      (one.ns * 100) / Math.max(whole, 1)}%` } })),
    depth < MOST_DEPTH && one.parts.slice(0, MOST_PARTS)
      .map((part) => cause(part, whole, depth + 1)),
  ];
}

/** What had to finish before, the latest step first. */
function path({ path: steps }) {
  if (!steps.length) return null;
  return [
    h("h3", null, "What had to happen first"),
    h("ul.steps", null, steps.map((step) => h("li", { title: step.site },
      h("a", { href: link({ from: step.start_ns - pad(step), to: step.end_ns + pad(step) }) },
        moment(step.start_ns, Math.max(step.end_ns - step.start_ns, 1e4))), " ",
      [step.who, step.did, step.what].filter(Boolean).join(" "), " ",
      h("span.faint", null, step.end_ns > step.start_ns
        ? duration(step.end_ns - step.start_ns) : "")))),
  ];
}

function pad(step) {
  return Math.max((step.end_ns - step.start_ns) * 0.4, 1000);
}

/** Whom a lock wait was behind: at its begin and at its end, each with the stack of the release. */
function owners({ args, holders }) {
  if (holders.length) return holders.map((hold) => holder(hold));
  const told = args.owner_name !== undefined || args.owner_site !== undefined;
  if (!told) return null;
  return [
    h("h3", null, "Who had it when the wait began"),
    h("dl", null,
      line("owner", args.owner_name ?? unknown()),
      line("took it at", args.owner_site ? place(args.owner_site) : unknown()),
      line("gave it back", unknown("not in the trace"))),
  ];
}

const ROLES = { began: "when the wait began", granted: "last, before the waiter got it",
  gave_up: "when the waiter gave up", ended: "when the wait ended", still: "when the recording ended" };

function holder(hold) {
  const from = hold.start_ns - hold.ns * 0.1;
  return [
    h("h3", null, `Who had it ${hold.roles.map((role) => ROLES[role]).join(", and ")}`),
    h("dl.holder", null,
      line("owner", hold.who || unknown()),
      line("took it at", hold.site ? place(hold.site) : unknown()),
      line("held it", h("a", { href: link({ page: "locks", sel: `locks:${hold.row}`, from,
        to: from + hold.ns * 1.2 }) }, duration(hold.ns)), !hold.released && " (not given back)")),
    h("h4", null, "Owner's stack when it released it"),
    hold.stack.length ? frames(hold.stack)
      : h("p.hint", null, hold.released ? "unknown" : "it had not released it when the trace ended"),
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
      h("span.faint", null, ` at ${moment(one.start_ns, told.ns)}`)))),
  ];
}

function rest({ args }) {
  const shown = Object.entries(args).filter(([name]) => name !== "owner_name" &&
    name !== "owner_site");
  if (!shown.length) return null;
  return [
    h("h3", null, "Recorded with it"),
    h("dl", null, shown.map(([name, value]) =>
      line(name, SITES.has(name) ? h("code", { title: value }, site(value)) : String(value)))),
  ];
}
