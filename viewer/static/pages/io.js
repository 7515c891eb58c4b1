/** Blocking calls: a table of them, and when each thread was in one. */

import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { count, site, size } from "../format.js";
import { legend } from "../palette.js";
import { byProcess, foldable, isFamily, ofProcess } from "../processes.js";
import { go, rangeQuery, state } from "../state.js";
import { panel, SPARE, table, whyEmpty } from "../table.js";

const LANE = 20;
const NO_BYTES = "the call does not say, or only part of it lies in this range";

export function showIo(root, meta) {
  const every = meta.groups.threads.map((one, lane) => ({ group: "threads", lane,
    title: one.text, detail: one.detail, height: LANE, process: one.process }));
  const rows = () => (isFamily() ? byProcess(meta, (process) =>
    every.filter((one) => one.process === process)) : every);
  const [timeline, stop] = foldable(rows, 300);
  const below = h("div");
  const find = h("input", { type: "search", placeholder: "highlight …", value: state.find,
    "aria-label": "Highlight slices with this text",
    oninput: () => go({ find: find.value }, { replace: true }) });
  const lanes = panel("Threads", "choose a call below to highlight it here", timeline,
    h("div.pad", null, legend(["io", "sleep", "running", "native", "gil", "lock", "idle", "off"])));
  lanes.querySelector("header").append(h("span.push", null, find));
  root.append(every.length ? lanes : "", below);
  const load = () => ask("report", rangeQuery());
  const show = (report) => {
    fill(below, panel("Blocking calls", "", table([
      { title: "Call", value: (row) => row.callable, show: (row) => [row.callable,
        h("span.sub", { title: row.site }, site(row.site, row.via)), ofProcess(row)] },
      { title: "Calls", number: true, value: (row) => row.count, show: (row) => count(row.count) },
      ...["total", "p50", "p90", "p99", "max"].map((name) => ({ title: name,
        spare: SPARE[name], ns: (row) => row.ns[name] })),
      { title: "Bytes", number: true, value: (row) => row.bytes ?? -1,
        show: (row) => row.bytes === null ? h("span.faint", { title: NO_BYTES }, "unknown")
          : size(row.bytes) },
      { title: "Holding the GIL", spare: 1, ns: (row) => row.holding_gil_ns, zero: "" },
    ], report.io, { empty: whyEmpty(report, "io", "No blocking call was made"), onrow: (row) => {
      find.value = row.callable;
      go({ find: row.callable }, { replace: true });
    } })));
  };
  return { load, show, stop };
}
