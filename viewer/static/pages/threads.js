/** What each thread did at every moment, below the loops and the garbage collections. */

import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { folded, keyOf } from "../folding.js";
import { legend } from "../palette.js";
import { rangeQuery, state, toPage } from "../state.js";
import { panel, table, whyEmpty } from "../table.js";
import { reveal, Timeline } from "../timeline.js";
import { stateBar, THREAD_STATES, threadName } from "./overview.js";

const LANE = 22;
const RARE = ["preempted", "native", "off cpu"]; // left out first where there is no room

export function showThreads(root, meta) {
  const { loops, gc, threads } = meta.groups;
  const rows = [
    ...loops.map((one, lane) => row("loops", lane, one)),
    ...(gc.length ? [row("gc", 0, gc[0])] : []),
    ...threads.map((one, lane) => ({ ...row("threads", lane, one), gap: lane ? 0 : 8 })),
  ];
  const timeline = new Timeline(rows, { height: Math.max(innerHeight - 330, 260) });
  const below = h("div");
  const lanes = panel("Threads", "zoom and pan with W A S D; click a slice for its explanation", timeline.node,
    h("div.pad", null, legend(["running", "native", "gil", "lock", "idle", "io", "sleep",
      "preempted", "off", "step", "blocked", "callback", "select"])));
  root.append(rows.length ? lanes : "", below);
  const load = () => ask("report", rangeQuery());
  let open = null;
  const looked = meta.threads.findIndex(isLooked);
  if (looked >= 0) reveal("threads", looked);
  const show = (report) => {
    open ??= new Set(report.threads.flatMap((one, i) =>
      isLooked(one) ? [keyOf(one, report.stems[i])] : []));
    fill(below, panel("In this range", "", statesTable(report, open, () => show(report))));
  };
  return { load, show, stop: () => timeline.destroy() };
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
    ...THREAD_STATES.map(([name]) => ({ title: name, ns: (one) => one.states[name],
      zero: "·", spare: RARE.indexOf(name) + 1 })),
    { title: "GIL wait p99", spare: 4, ns: (one) => one.gil_wait_ns.p99 ?? 0,
      zero: "·" },
    { title: "GIL wait max", spare: 3, ns: (one) => one.gil_wait_ns.max, zero: "·" },
  ], folded(report, open), { empty: whyEmpty(report, "threads", "No thread did anything"),
    onrow: choose, chosen: isLooked });
}
