/** The findings, then four numbers, then what each thread and coroutine did. */

import { ask } from "../api.js";
import { fill, h, marked } from "../dom.js";
import { folded } from "../folding.js";
import { count, duration, durations, share, site, size } from "../format.js";
import { capital, nouns } from "../nouns.js";
import { colourOf, legend } from "../palette.js";
import { ofProcess } from "../processes.js";
import { go, isWhole, link, rangeQuery, state, toPage, wholeRange } from "../state.js";
import { panel, table, whyEmpty } from "../table.js";

/** The report's names of thread states, as the palette calls them. */
export const THREAD_STATES = [["running", "running"], ["native", "native"],
  ["GIL wait", "gil"], ["lock", "lock"], ["idle", "idle"], ["io", "io"], ["sleep", "sleep"],
  ["preempted", "preempted"], ["off cpu", "off"]];

// Waits for the end of a thread, which is no lock.
const ENDS = ["Thread.join", "executor shutdown"];
const RESPONSIVE = "responsive: able to answer within 10 ms at any moment of the window";
const LOST = "time lost, summed over all who waited";

export function showOverview(root, meta) {
  const first = h("div", null, findings(null, meta));
  const load = () => {
    ask("findings").catch(() => {}); // asked now and shown last: they may take a while
    return ask("report", rangeQuery());
  };
  const show = async (report) => {
    fill(root, first, numbers(report), h("div.columns", null,
      report.threads.length ? threads(report) : null,
      report.tasks.length ? coroutines(report) : null), recording(report, meta));
    fill(first, findings(await ask("findings"), meta));
  };
  return { load, show };
}

/** `told` is null while they are computed. In a range: those whose evidence lies in it. */
function findings(told, meta) {
  if (!told) return panel("Findings", "", h("p.empty", null, "Computing …"));
  const found = told.findings.map((one, i) => ({ ...one, at: told.places[i] }));
  const here = found.filter(({ evidence }) => {
    const from = evidence.start_ns - meta.start_ns;
    return from < state.to && from + evidence.duration_ns >= state.from;
  });
  const rest = found.length - here.length;
  const costs = durations(here.map((one) => one.severity_ns));
  return panel("Findings", isWhole() ? LOST
    : `those of the whole recording whose evidence lies in this range; ${LOST}`,
  here.length ? h("ul.findings", null, here.map((one, i) => finding(one, costs[i], meta)))
    : h("p.empty", null, found.length ? "No finding has its evidence in this range."
      : told.none[0].toUpperCase() + told.none.slice(1)),
  !found.length && h("p.elsewhere", null, "For the slowest waits, see ",
    h("a", { href: link({ page: "why" }) }, "Why"), "."),
  rest > 0 && h("p.elsewhere", null, `${rest} more elsewhere in the recording. `,
    h("button", { onclick: () => go({ from: 0, to: wholeRange() }) }, "Show all")));
}

function finding({ finding: name, text, next_step: step, severity_ns: ns, evidence, at }, cost, meta) {
  const pad = Math.max(evidence.duration_ns * 0.4, 1000);
  const from = evidence.start_ns - meta.start_ns;
  const { page, ...chosen } = at ?? { page: "threads", sel: "" };
  return h("li", null,
    h("span.cost", { title: LOST }, ns ? cost : "–"),
    h("span", null, marked(text), step && [" ", h("em", null, marked(step))],
      h("small", { title: evidence.site }, about(name), evidence.site && [" · ", site(evidence.site)])),
    h("button", {
      onclick: () => toPage(page, { ...chosen, from: from - pad,
        to: from + evidence.duration_ns + pad }),
    }, "Show"));
}

/** The name of a finding, linked to what explains it; in one file to share there is no link. */
function about(name) {
  if (globalThis.tracerData) return name;
  const href = `findings.md#:~:text=${encodeURIComponent(`## ${name}`)}`;
  return h("a", { href, target: "_blank", title: "what it means, an example and a remedy" }, name);
}

function numbers(report) {
  const { tasks, threads, locks, health } = report;
  const recorded = (signal) => health.signals.includes(signal);
  const none = tasks.length ? "nobody" : `no ${nouns.task}s`;
  const slowest = most(tasks, (row) => row.ready_ns.max);
  const longest = most(tasks, (row) => row.longest_step_ns);
  const gil = threads.reduce((sum, row) => sum + row.gil_wait_ns.total, 0);
  const starved = most(threads, (row) => row.gil_wait_ns.total);
  const lock = most(locks.filter((row) => !row.idle && !ENDS.includes(row.kind)), (row) => row.wait_ns.total);
  return h("div.numbers", null,
    number("Longest time ready", slowest?.ready_ns.max, slowest?.coro,
      "tasks", 100e6, recorded("tasks"), none),
    number(`Longest step of a ${nouns.task}`, longest?.longest_step_ns, longest?.coro, "tasks", 50e6,
      recorded("tasks"), none),
    number("GIL waits, summed over threads", gil, starved && `most: ${starved.name}`, "threads", 1e9,
      recorded("gil")),
    number("Most contended lock, waits summed", lock?.wait_ns.total ?? 0, lock && `${lock.kind} ${site(lock.site)}`,
      "locks", 1e9, recorded("locks")));
}

function number(what, ns, who, page, bad, isRecorded, nobody = "nobody") {
  const none = ns === undefined || (!isRecorded && !ns);
  return h(ns >= bad ? "a.number.bad" : "a.number", { href: link({ page }) },
    h("div.what", null, what),
    h("div.value", null, none ? "–" : duration(ns ?? 0)),
    h("div.who", { title: who }, !isRecorded && !ns ? "not recorded" : ns ? who || "" : nobody));
}

function most(rows, value) {
  return rows.reduce((best, row) => (!best || value(row) > value(best) ? row : best), undefined);
}

/** How long a thread was in a state; of waits for locks, those for what nobody holds are idle. */
export function timeIn(row, state) {
  if (state === "idle") return row.idle_ns;
  return row.states[state] - (state === "lock" ? row.idle_ns : 0);
}

/** A bar with the share of each state of a thread. */
export function stateBar(row) {
  const told = THREAD_STATES.map(([name]) => `${name} ${share(timeIn(row, name), row.wall_ns)}`)
    .filter((text) => !text.endsWith(" 0 %"));
  return h("div.stack", { title: told.join(", ") }, THREAD_STATES.map(([name, key]) =>
    h("i", { style: { width: `${(timeIn(row, name) * 100) / Math.max(row.wall_ns, 1)}%`,
      background: colourOf(key) } })));
}

/** A thread, or many that differ only in a number: `worker-N ×12`. */
export function threadName(row, open) {
  if (!row.many) return [row.of && h("span.indent", null, "· "), row.name, row.tid >= 0 && open &&
    h("span.sub", null, String(row.tid)), ofProcess(row)];
  return [open && h("span.fold", null, open.has(row.key) ? "▾ " : "▸ "), row.name,
    h("span.sub", null, `×${count(row.many)}`), ofProcess(row)];
}

function threads(report) {
  return panel("Threads", "share of time in each state",
    table([
      { title: "Thread", value: (row) => row.name, show: (row) => threadName(row) },
      { title: "States", value: (row) => row.states.running, show: stateBar },
      { title: "GIL wait", ns: (row) => row.gil_wait_ns.total },
    ], folded(report, new Set()), { onrow: () => toPage("threads"), empty: whyEmpty(report, "threads", "No thread did anything") }),
    h("div.pad", null, legend(THREAD_STATES.map(([, key]) => key))));
}

/** How often each loop was responsive; windows with dropped events are left out. */
function availability({ latency }) {
  return (latency?.loops ?? []).filter((one) => one.windows).map((one) => `the ${nouns.loop} of ${
    one.thread} was responsive in ${count(one.available)} of ${
    count(one.windows)} windows of 100 ms`);
}

function coroutines(report) {
  const about = ["the longest wait first", ...availability(report)].join(" · ");
  return panel("Coroutines", h("span", { title: RESPONSIVE }, about),
    table([
      { title: "Coroutine", value: (row) => row.coro, show: (row) => [row.coro,
        h("span.sub", { title: row.site }, site(row.site, row.via))] },
      { title: `${capital(nouns.task)}s`, number: true, value: (row) => row.count, show: (row) => count(row.count) },
      { title: "Ready p99", ns: (row) => row.ready_ns.p99 },
      { title: "max", ns: (row) => row.ready_ns.max },
    ], report.tasks, { empty: whyEmpty(report, "tasks", `No ${nouns.task} ran`),
      onrow: (row) => toPage("tasks", { coro: row.coro, site: row.site }) }));
}

function recording({ trace, health, missing }, meta) {
  const date = trace.start_unix_ns ? new Date(trace.start_unix_ns / 1e6).toLocaleString("sv") : "";
  return panel("Recording", "",
    h("div.pad.why", null, h("dl", null,
      [["program", h("code", null, trace.argv.join(" "))],
        ["recorded", [date, `${duration(trace.duration_ns)}, Python ${trace.python}`]
          .filter(Boolean).join(" · ")],
        ["file", `${count(meta.events)} events, ${size(meta.bytes)}`],
        ["signals", health.signals.join(", ")],
        missing.length ? ["incomplete", missing.map((text) => h("div", null, text))]
          : ["complete", "yes, nothing was lost"]]
        .map(([name, value]) => [h("dt", null, name), h("dd", null, value)]))));
}

