/** The explanation of the selected slice; without one, the slowest waits to choose from. */

import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { duration, moment } from "../format.js";
import { rangeQuery, state, toPage } from "../state.js";
import { panel, table } from "../table.js";
import { explain } from "../why.js";

export function showWhy(root, meta) {
  const place = h("div.pad");
  const below = h("div");
  const box = h("section.panel", null, place);
  root.append(state.sel ? box : "", below);
  if (state.sel) explain(place);
  const range = async () => {
    fill(below, worst(await ask("report", rangeQuery()), meta));
  };
  range().catch((error) => fill(below, h("p.error", null, error.message)));
  return { range };
}

function worst({ tasks, threads }, meta) {
  const rows = [
    ...tasks.filter((row) => row.worst).map((row) => ({ who: `${row.worst.name}`,
      what: "ready, not running", page: "tasks", changes: { coro: row.coro, site: row.site },
      start: row.worst.start_ns - meta.start_ns, ns: row.worst.ns,
      behind: row.worst.delayed_by[0]?.who ?? "" })),
    ...threads.filter((row) => row.worst_gil_wait).map((row) => ({ who: row.name,
      what: "GIL wait", page: "threads", changes: {},
      start: row.worst_gil_wait.start_ns - meta.start_ns, ns: row.worst_gil_wait.ns,
      behind: row.worst_gil_wait.held_by[0]?.name ?? "" })),
  ].sort((a, b) => b.ns - a.ns);
  return panel("The slowest waits", "choose one, then click its slice", table([
    { title: "Who", value: (row) => row.who },
    { title: "Waited", value: (row) => row.what },
    { title: "for", number: true, value: (row) => row.ns, show: (row) => duration(row.ns) },
    { title: "from", number: true, value: (row) => row.start, show: (row) => moment(row.start, row.ns) },
    { title: "Behind", value: (row) => row.behind },
  ], rows, { empty: "Nobody waited in this range.", onrow: (row) => toPage(row.page, {
    ...row.changes, from: row.start - row.ns * 0.3, to: row.start + row.ns * 1.3 }) }));
}
