/** Garbage collections: how long each generation stopped the program. */

import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { count, share, size } from "../format.js";
import { legend } from "../palette.js";
import { rangeQuery, state } from "../state.js";
import { panel, SPARE, table, whyEmpty } from "../table.js";
import { Timeline } from "../timeline.js";

export function showGc(root, meta) {
  const rows = [
    ...meta.groups.gc.map((one, lane) => ({ group: "gc", lane, title: one.text,
      detail: one.detail, height: 26 })),
    ...meta.groups.threads.slice(0, 16).map((one, lane) => ({ group: "threads", lane,
      title: one.text, detail: one.detail, height: 16, gap: lane ? 0 : 6 })),
  ];
  const timeline = new Timeline(rows, { height: 360 });
  const below = h("div");
  root.append(below, panel("Collections", "and what the threads did during them", timeline.node,
    h("div.pad", null, legend(["gc0", "gc1", "gc2"]))));
  const load = () => ask("report", rangeQuery());
  const show = (report) => {
    fill(below, panel("Pauses", "", table([
      { title: "Generation", value: (row) => row.generation },
      { title: "Runs", number: true, value: (row) => row.count, show: (row) => count(row.count) },
      ...["total", "p50", "p90", "p99", "max"].map((name) => ({ title: name,
        spare: SPARE[name], ns: (row) => row.ns[name] })),
      { title: "Share of range", number: true, value: (row) => row.ns.total,
        show: (row) => share(row.ns.total, state.to - state.from) },
      { title: "Collected", number: true, value: (row) => row.collected,
        show: (row) => count(row.collected) },
      ...(report.gc.some((row) => row.freed_bytes !== null) ? [{ title: "Freed", number: true,
        about: "an estimate from sampled allocations", value: (row) => row.freed_bytes,
        show: (row) => size(row.freed_bytes) }] : []),
      ...(report.gc.some((row) => row.explicit) ? [{ title: "By gc.collect()", number: true,
        value: (row) => row.explicit, show: (row) => count(row.explicit) }] : []),
    ], report.gc, { empty: whyEmpty(report, "gc", "No garbage collection ran") })));
  };
  return { load, show, stop: () => timeline.destroy() };
}
