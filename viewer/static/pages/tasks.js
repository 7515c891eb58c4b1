/** All coroutines, the tasks of one, or the life of one task. */

import { ask } from "../api.js";
import { when } from "../clock.js";
import { fill, h } from "../dom.js";
import { count, duration, durations, share, site } from "../format.js";
import { histogram, largeHistogram, scaleOf, spanOf } from "../histogram.js";
import { capital, nouns } from "../nouns.js";
import { legend } from "../palette.js";
import { processName } from "../processes.js";
import { go, isWhole, rangeQuery, state } from "../state.js";
import { panel, SPARE, table, whyEmpty } from "../table.js";
import { Timeline } from "../timeline.js";

const LANE = 20;
const NUMBERED = / #\d+$/; // by asyncio, which counts otherwise than the trace
const MOST_LANES = 60;
const MOST_DELAYS = 10;

export function showTasks(root, meta) {
  const head = h("div");
  const lanes = h("div");
  const rest = h("div");
  root.append(head, lanes, rest);
  let timeline = null;
  const which = state.coro ? { coro: state.coro, site: state.site } : {};
  const load = () => Promise.all([ask("report", rangeQuery()),
    ask("tasks", { ...which, ...rangeQuery() })]);
  const show = ([report, told]) => {
    const row = report.tasks.find((one) => one.coro === state.coro && one.site === state.site);
    const one = told.tasks.find((task) => String(task.lane) === state.task);
    if (!timeline) {
      timeline = new Timeline(rows(one ? [one] : told.tasks, meta), { height: 460 });
      fill(lanes, told.tasks.length > 0 && panel(one ? `The life of ${one.name}` : "Lanes",
        one ? "" : about(told), timeline.node, h("div.pad", null, legend(["ready", "step", "blocked", "await", "callback", "select"]))));
    }
    fill(head, state.coro && path(one));
    if (!state.coro) fill(rest, coroutines(report));
    else if (one) fill(rest, life(one, row));
    else fill(rest, coroutine(row, report), tasksTable(told));
  };
  return { load, show, stop: () => timeline?.destroy() };
}

function about(told) {
  if (state.coro) return "the longest delay first";
  return told.count > told.tasks.length ? `the ${nouns.task}s of each coroutine with the longest delays`
    : `all ${nouns.task}s, by coroutine, the longest delay first`;
}

function rows(tasks, meta) {
  return [
    ...meta.groups.loops.map((one, lane) => ({ group: "loops", lane, title: one.text,
      detail: processName(one.process), height: LANE })),
    ...tasks.slice(0, MOST_LANES).map((one, i) => ({ group: "tasks", lane: one.lane,
      title: one.name, detail: detail(one), height: LANE,
      gap: i ? 0 : 6 })),
  ];
}

/** Beside the name of a task its coroutine or its number, if the name does not say it. */
function detail({ name, coro, task }) {
  if (!state.coro && !name.startsWith(coro)) return coro;
  return task >= 0 && !NUMBERED.test(name) ? String(task) : "";
}

function path(one) {
  return h("p.crumbs", null,
    h("a", { href: "#", onclick: (event) => step(event, { coro: "", site: "", task: "" }) },
      "All coroutines"), " › ",
    one ? [h("a", { href: "#", onclick: (event) => step(event, { task: "" }) }, state.coro),
      " › ", one.name] : state.coro);
}

function step(event, changes) {
  event.preventDefault();
  go(changes);
}

function coroutines(report) {
  const histograms = new Map((report.latency?.coroutines ?? [])
    .map((one) => [`${one.coro}\n${one.site}`, one.ready_ns]));
  const scale = scaleOf([...histograms.values()]);
  return panel("Coroutines", `how long their ${nouns.task}s were ready before they ran`,
    table([
      { title: "Coroutine", value: (row) => row.coro, show: (row) => [row.coro,
        h("span.sub", { title: row.site }, site(row.site, row.via))] },
      { title: `${capital(nouns.task)}s`, number: true, value: (row) => row.count, show: (row) => count(row.count) },
      { title: "Steps", number: true, spare: 3, value: (row) => row.steps,
        show: (row) => count(row.steps) },
      { title: scale ? `Ready: ${spanOf(scale)}` : "Ready", value: (row) => row.ready_ns.max,
        about: "how often for how long; all rows have the same scale",
        show: (row) => histogram(histograms.get(`${row.coro}\n${row.site}`), scale) },
      ...["p50", "p90", "p99", "max"].map((name) => ({ title: name, spare: SPARE[name],
        ns: (row) => row.ready_ns[name] })),
      { title: "Running", spare: 2, ns: (row) => row.running_ns.total },
      { title: "Longest step", ns: (row) => row.longest_step_ns },
      { title: "Mostly behind", value: (row) => row.delayed_by[0]?.who ?? "",
        show: (row) => behind(row) },
    ], report.tasks, { empty: whyEmpty(report, "tasks", `No ${nouns.task} ran`),
      onrow: (row) => go({ coro: row.coro, site: row.site }) }));
}

function behind(row) {
  const [first] = row.delayed_by;
  if (!first) return "";
  return [first.who, h("span.sub", null, share(first.ns, row.ready_ns.total))];
}

function coroutine(row, report) {
  if (!row) return null;
  const found = (report.latency?.coroutines ?? [])
    .find((one) => one.coro === row.coro && one.site === row.site);
  return h("div.columns", null,
    panel(row.coro, site(row.site, row.via), h("div.pad.why", null, h("dl", null,
      [["ready", spread(row.ready_ns)], ["running", spread(row.running_ns)],
        ["awaiting", spread(row.await_ns)],
        ["woken by", row.wakers.slice(0, 4).map((one) => `${one.who} ×${count(one.count)}`)
          .join(", ")]].map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
    h("h3", null, "How often they were ready for how long"), largeHistogram(found?.ready_ns),
    h("p.hint", null, "The height of a bar is the square root of its number."))),
    panel("Behind whom", `what the ${nouns.loop} ran while its ${nouns.task}s were ready`,
      h("div.pad", null, causes(row.delayed_by, row.ready_ns.total))));
}

function spread(one) {
  return `${duration(one.total)} in ${count(one.count)}: p50 ${duration(one.p50)}, p99 ${
    duration(one.p99)}, max ${duration(one.max)}`;
}

/** What the loop ran instead, as bars that add up to the delay. */
export function causes(delays, whole) {
  if (!delays.length) return h("p.empty", null, `Its ${nouns.task}s never waited for the ${nouns.loop}.`);
  const shown = delays.slice(0, MOST_DELAYS);
  const texts = durations(shown.map((one) => one.ns));
  return h("div.parts", null, shown.map((one, i) => [
    h("span", null, one.who, " ", one.kind === "callback" && h("span.faint", null, one.kind)),
    h("span.num", null, texts[i]),
    h("span.num.faint", null, share(one.ns, whole)),
    h("div.track", null, h("i", { style: { width: `${(one.ns * 100) / Math.max(whole, 1)}%` } })),
  ]));
}

function tasksTable(told) {
  return panel(`${capital(nouns.task)}s`, `${count(told.count)}${told.count > told.tasks.length
    ? `, of which the ${told.tasks.length} with the longest waits` : ""}`,
  table([
    { title: capital(nouns.task), value: (one) => one.name, show: (one) => [one.name,
      h("span.sub", null, one.parent && `created by ${one.parent}`)] },
    { title: "Created at", at: (one) => one.start_ns },
    { title: "Lifetime", spare: 1, ns: (one) => one.end_ns - one.start_ns },
    { title: "Steps", number: true, spare: 2, value: (one) => one.steps, show: (one) => count(one.steps) },
    { title: "Ready", ns: (one) => one.ready_ns },
    { title: "longest", about: "the longest time ready", ns: (one) => one.worst_ready_ns },
    { title: "Running", ns: (one) => one.running_ns },
    { title: "Awaiting", ns: (one) => one.await_ns },
  ], told.tasks, { empty: `No ${nouns.task} of ${state.coro} ran${isWhole() ? "" : " in this range"}.`,
    onrow: (one) => go({ task: String(one.lane), ...around(one) }) }));
}

function around(one) {
  const pad = Math.max((one.end_ns - one.start_ns) * 0.05, 1000);
  return { from: one.start_ns - pad, to: one.end_ns + pad };
}

function life(one, row) {
  return h("div.columns", null,
    panel(one.name, row?.coro ?? "", h("div.pad.why", null, h("dl", null,
      [["created at", when(one.start_ns, one.end_ns - one.start_ns)],
        ["created by", one.parent || `unknown, or not by a ${nouns.task}`],
        ["lifetime", duration(one.end_ns - one.start_ns)],
        ["ready", `${duration(one.ready_ns)}, the longest ${duration(one.worst_ready_ns)}`],
        ["running", `${duration(one.running_ns)} in ${count(one.steps)} steps, the longest ${
          duration(one.longest_step_ns)}`],
        ["awaiting", duration(one.await_ns)]]
        .map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
    h("p.hint", null, "Click a slice in its lane for the explanation."))),
    row && panel("Behind whom", `for all ${nouns.task}s of ${row.coro} in this range`,
      h("div.pad", null, causes(row.delayed_by, row.ready_ns.total))));
}

