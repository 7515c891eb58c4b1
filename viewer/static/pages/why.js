/** The explanation of the selected slice, and the worst waits to choose from. */

import { ask } from "../api.js";
import { fill, h, marked } from "../dom.js";
import { durations } from "../format.js";
import { go, isWhole, rangeQuery, state, toPage } from "../state.js";
import { panel, table } from "../table.js";
import { explain } from "../why.js";

export function showWhy(root, meta) {
  const place = h("div.pad");
  const below = h("div");
  const box = h("section.panel", null, place);
  root.append(state.sel ? box : "", below);
  if (state.sel) explain(place);
  const load = () => Promise.all([ask("why"), ask("report", rangeQuery())]);
  const show = ([found, report]) => fill(below, problems(found), longest(report, meta));
  return { load, show };
}

/** The waits that `tracer why` reports; in a range, those that overlap it. */
function problems(found) {
  const here = found.filter((one) => one.start_ns < state.to && one.start_ns + one.ns >= state.from);
  const rest = found.length - here.length;
  const costs = durations(here.map((one) => one.ns));
  return panel("The worst waits", isWhole() ? "similar waits are grouped, the longest is shown"
    : "of the whole recording: those that overlap this range",
  here.length ? h("ul.findings", null, here.map((one, i) => h("li", null,
    h("span.cost", null, costs[i]),
    h("span", null, marked(one.text)),
    h("button", { "aria-pressed": String(state.sel === `${one.group}:${one.row}`),
      onclick: () => go({ sel: `${one.group}:${one.row}` }) }, "Why"))))
    : h("p.empty", null, found.length ? "None of them overlaps this range." : "No waits were recorded."),
  rest > 0 && h("p.elsewhere", null, `${rest} more elsewhere in the recording.`));
}

function longest({ tasks, threads }, meta) {
  const rows = [
    ...tasks.filter((row) => row.worst).map((row) => ({ who: `${row.worst.name}`,
      what: "ready", page: "tasks", changes: { coro: row.coro, site: row.site },
      start: row.worst.start_ns - meta.start_ns, ns: row.worst.ns,
      behind: row.worst.delayed_by[0]?.who ?? "" })),
    ...threads.filter((row) => row.worst_gil_wait).map((row) => ({ who: row.name,
      what: "GIL wait", page: "threads", changes: {},
      start: row.worst_gil_wait.start_ns - meta.start_ns, ns: row.worst_gil_wait.ns,
      behind: row.worst_gil_wait.held_by[0]?.name ?? "" })),
  ].sort((a, b) => b.ns - a.ns);
  return panel("Longest waits in this range",
    "the longest time ready of each coroutine, and the longest GIL wait of each thread", table([
    { title: "Who", value: (row) => row.who },
    { title: "Wait", value: (row) => row.what },
    { title: "Duration", ns: (row) => row.ns },
    { title: "Start", at: (row) => row.start },
    { title: "Mostly behind", value: (row) => row.behind },
  ], rows, { empty: "No waits in this range.", onrow: (row) => toPage(row.page, {
    ...row.changes, sel: "", from: row.start - row.ns * 0.3, to: row.start + row.ns * 1.3 }) }));
}
