/** The processes of a service: who started whom, how long they lived, what jobs they ran. */

import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { count, share, site, size } from "../format.js";
import { legend } from "../palette.js";
import { head } from "../processes.js";
import { rangeQuery, toPage } from "../state.js";
import { panel, SPARE, table, whyEmpty } from "../table.js";
import { Timeline } from "../timeline.js";

const JOBS = 14;

export function showProcesses(root, meta) {
  const rows = meta.processes.flatMap((one, i) => [
    { ...head(one, i), height: 20 },
    ...(one.has_jobs ? [{ group: "jobs", lane: one.lane, title: "jobs", height: JOBS,
      indent: one.depth * 8 + 8 }] : []),
  ]);
  const timeline = new Timeline(rows, { height: Math.max(innerHeight - 400, 260) });
  const below = h("div");
  root.append(panel("Processes", "when they lived; click one for who started it and what it started",
    timeline.node, h("div.pad", null, legend(["starting", "life", "killed", "job", "failed"]))), below);
  const load = () => ask("report", rangeQuery());
  const show = (report) => {
    fill(below, tree(report, meta), report.jobs.length ? jobs(report) : "");
  };
  return { load, show, stop: () => timeline.destroy() };
}

function tree(report, meta) {
  const told = new Map(meta.processes.map((one) => [one.process, one]));
  const work = report.processes.reduce((sum, row) => sum + row.work_ns, 0);
  const ordered = meta.processes
    .flatMap((one) => report.processes.filter((row) => row.process === one.process));
  return panel("In this range", "work: threads that ran Python, or computed without the GIL; lives and jobs are whole", table([
    { title: "Process", value: (row) => row.name, show: (row) => [
      h("span", { style: { paddingLeft: `${told.get(row.process).depth * 14}px` } }, row.name),
      h("span.sub", { title: row.program }, String(row.pid))] },
    { title: "End", value: (row) => told.get(row.process).end },
    { title: "Began at", spare: 3, at: (row) => row.start_ns },
    { title: "Lived", ns: (row) => row.end_ns - row.start_ns },
    { title: "Work", ns: (row) => row.work_ns, zero: "·" },
    { title: "Share", number: true, value: (row) => row.work_ns,
      show: (row) => (work ? share(row.work_ns, work) : "") },
    { title: "GIL wait", spare: 1, ns: (row) => row.gil_wait_ns, zero: "·" },
    { title: "GC", spare: 2, ns: (row) => row.gc_ns, zero: "·" },
    { title: "Jobs", number: true, value: (row) => row.jobs,
      show: (row) => (row.jobs ? count(row.jobs) : "") },
    { title: "Threads", number: true, spare: 4, value: (row) => row.threads,
      show: (row) => count(row.threads) },
  ], ordered, { empty: whyEmpty(report, "processes", "No process was recorded"),
    onrow: () => toPage("threads") }));
}

function jobs(report) {
  const name = new Map(report.processes.map((row) => [row.process, row.name]));
  return panel("Jobs of process pools", "of the whole recording: queued, run, given back", table([
    { title: "Job", value: (row) => row.name, show: (row) => [row.name,
      h("span.sub", { title: row.site }, site(row.site, row.via)),
      h("span.sub", null, name.get(row.process) ?? "")] },
    { title: "Jobs", number: true, value: (row) => row.count, show: (row) => count(row.count) },
    { title: "Workers", number: true, spare: 3, value: (row) => row.workers,
      show: (row) => count(row.workers) },
    { title: "Queued p50", spare: 1, ns: (row) => row.queued_ns.p50 },
    { title: "max", ns: (row) => row.queued_ns.max },
    ...["total", "p50", "p90", "max"].map((of) => ({ title: of === "total" ? "Ran, summed" : of,
      spare: SPARE[of], ns: (row) => row.ran_ns[of] })),
    { title: "Returned p50", spare: 2, ns: (row) => row.returned_ns.p50 },
    { title: "Sent", number: true, value: (row) => row.sent_bytes,
      show: (row) => size(row.sent_bytes) },
    { title: "Results", number: true, value: (row) => row.result_bytes,
      show: (row) => size(row.result_bytes) },
  ], report.jobs));
}
