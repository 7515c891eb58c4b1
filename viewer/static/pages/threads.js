/** What each thread did at every moment, below the loops and the garbage collections. */

import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { folded, keyOf } from "../folding.js";
import { legend } from "../palette.js";
import { byProcess, foldable, isFamily, unfold } from "../processes.js";
import { rangeQuery, state, toPage } from "../state.js";
import { panel, table, whyEmpty } from "../table.js";
import { reveal } from "../timeline.js";
import { stateBar, THREAD_STATES, threadName, timeIn } from "./overview.js";

const LANE = 22;
const RARE = ["preempted", "native", "off cpu"]; // left out first where there is no room

export function showThreads(root, meta) {
  const looked = meta.threads.findIndex(isLooked);
  const [lanes, stop] = foldable(() =>
    rowsOf(meta, meta.threads[looked]?.process), Math.max(innerHeight - 330, 260));
  const below = h("div");
  root.append(meta.groups.threads.length || meta.groups.loops.length
    ? panel("Threads", "zoom and pan with W A S D; click a slice for its explanation", lanes,
      h("div.pad", null, legend(["running", "native", "gil", "lock", "idle", "io", "sleep",
        "preempted", "off", "step", "blocked", "callback", "select"]))) : "", below);
  const load = () => ask("report", rangeQuery());
  let open = null;
  if (looked >= 0) reveal("threads", looked);
  const show = (report) => {
    open ??= new Set(report.threads.flatMap((one, i) =>
      isLooked(one) ? [keyOf(one, report.stems[i])] : []));
    fill(below, panel("In this range", "", statesTable(report, open, () => show(report))));
  };
  return { load, show, stop };
}

/** The lanes of the loops, the garbage collections and the threads, of each process. */
function rowsOf(meta, wanted) {
  const { loops, gc, threads } = meta.groups;
  const all = (process) => {
    const of = (group, list) => list.flatMap((one, lane) =>
      (process === undefined || one.process === process ? [row(group, lane, one)] : []));
    return [...of("loops", loops), ...of("gc", gc), ...of("threads", threads)
      .map((one, i) => ({ ...one, gap: i ? 0 : 8 }))];
  };
  if (!isFamily()) return all();
  if (wanted !== undefined) unfold(wanted);
  return byProcess(meta, (process) => all(process).map((one) =>
    (one.group === "gc" ? { ...one, detail: "" } : one)));
}

/** Whether a thread is the one of the link, as after a search. */
function isLooked({ pid, tid }) {
  return `${pid}:${tid}` === state.thread;
}

function row(group, lane, one) {
  return { group, lane, title: one.text, detail: one.detail, height: LANE };
}

function statesTable(report, open, changed) {
  const choose = (one) => {
    if (!one.many) return toPage("cpu", { thread: `${one.pid}:${one.tid}` });
    if (!open.delete(one.key)) open.add(one.key);
    return changed();
  };
  return table([
    { title: "Thread", value: (one) => one.name, show: (one) => threadName(one, open) },
    { title: "States", value: (one) => one.states.running, show: stateBar },
    ...THREAD_STATES.map(([name]) => ({ title: name, ns: (one) => timeIn(one, name),
      zero: "·", spare: RARE.indexOf(name) + 1 })),
    { title: "GIL wait p99", spare: 4, ns: (one) => one.gil_wait_ns.p99 ?? 0,
      zero: "·" },
    { title: "GIL wait max", spare: 3, ns: (one) => one.gil_wait_ns.max, zero: "·" },
  ], folded(report, open), { empty: whyEmpty(report, "threads", "No thread did anything"),
    onrow: choose, chosen: isLooked });
}
