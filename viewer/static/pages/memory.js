/** Sampled allocations: what is live over time, a flame graph, and the lines that allocate. */

import { ask } from "../api.js";
import { isDay, when } from "../clock.js";
import { topOf } from "../counter.js";
import { fill, h } from "../dom.js";
import { FlameGraph, shapes } from "../flame.js";
import { count, share, site, size } from "../format.js";
import { lines } from "../lines.js";
import { legend } from "../palette.js";
import { isFamily, processName } from "../processes.js";
import { go, rangeQuery, state, wholeRange } from "../state.js";
import { panel, table, whyEmpty } from "../table.js";
import { Timeline } from "../timeline.js";

/** By the link's word: the profile's type, a title, how a number is written, what it counts. */
const MEASURES = {
  "": ["inuse_space", "Live bytes", size, (text, at) => `${text} live ${at}`],
  "live-blocks": ["inuse_objects", "Live blocks", count, (text, at) => `${text} blocks live ${at}`],
  allocated: ["alloc_space", "Allocated bytes", size, (text) => `${text} allocated`],
  "allocated-blocks": ["alloc_objects", "Allocated blocks", count,
    (text) => `${text} blocks allocated`],
};
const [LARGE, SMALL] = [120, 48];
const GROWN = "live at the end of the range, less what was live halfway through it";
const ERROR = "standard error of the live bytes";
const NO_SITE = "[no stack]";

export function showMemory(root, meta) {
  const place = h("div");
  const over = h("div");
  root.append(over, place);
  let graph = null;
  let timeline = null;
  const load = () => {
    const query = rangeQuery();
    return Promise.all([ask("heap", query), ask("report", query), state.function && source(query)]);
  };
  const show = ([told, report, found]) => {
    graph?.destroy();
    const isRecorded = report.memory !== null && told.samples > 0;
    if (!isRecorded && !timeline) {
      fill(place, panel("Memory", "", h("p.empty", null,
        whyEmpty(report, "memory", "No allocation was sampled"))));
      return;
    }
    timeline ??= overTime(over, told, meta);
    follow(timeline, told);
    const [type, , text, say] = measure();
    const which = told.types.indexOf(type);
    graph = new FlameGraph(told.tree, { which, text, icicle: state.shape === "icicle",
      onchoose: (call) => go({ function: call.function, file: call.file }) });
    const whole = told.tree.values[which];
    const flames = panel("By stack", `${say(text(whole), atEnd(told))}, sampled`, whole ? graph.node
      : h("p.empty", null, "Nothing of it was sampled in this range."),
    told.rest > 0 && h("p.hint.pad", null, `The ${count(told.stacks - told.rest)} largest of ${
      count(told.stacks)} stacks are told apart.`));
    flames.querySelector("header").append(h("span.push", null, measures(), shapes()));
    fill(place, flames, found || null, places(report), owners(report), outlives(report));
    graph.resize();
  };
  return { load, show, stop: () => {
    graph?.destroy();
    timeline?.destroy();
  } };
}

function measure() {
  return MEASURES[state.measure] ?? MEASURES[""];
}

function measures() {
  return Object.entries(MEASURES).map(([word, [type, title]]) => h("button", {
    "aria-pressed": String(measure()[0] === type), title: type,
    onclick: () => go({ measure: word }),
  }, title));
}

/** A shared file answers for the whole recording whatever the range. */
function atEnd({ until_ns: until }) {
  return until >= wholeRange() ? "at the end"
    : `${isDay() ? "at" : "after"} ${when(until, state.to - state.from)}`;
}

/** The lanes of the counter, one for each process, above the collections. */
function overTime(node, told, meta) {
  const height = told.live.length > 1 ? SMALL : LARGE;
  const timeline = new Timeline([
    ...told.live.map(({ process }) => ({ group: "heap", process, height, title: isFamily()
      ? processName(process) : "live heap", counter: { points: [], until: 0, text: size } })),
    ...meta.groups.gc.map((one, lane) => ({ group: "gc", lane, title: one.text,
      detail: one.detail, height: 16, gap: lane ? 0 : 6 })),
  ], { height: 420 });
  const how = told.mean_bytes ? `one every ${size(told.mean_bytes)}` : "at several rates";
  fill(node, panel("Live heap over time", `allocated since the recording began and not freed; sampled, ${
    how}`, timeline.node, h("div.pad.under", null, legend(["gc0", "gc1", "gc2"]), h("span.hint", null,
    "Not seen: memory that C code takes past Python’s allocators, such as numpy’s arrays."))));
  return timeline;
}

/** Shows the values of the range. */
function follow(timeline, told) {
  for (const row of timeline.rows.filter((one) => one.counter)) {
    const one = told.live.find(({ process }) => process === row.process);
    row.counter.points = one?.points ?? [];
    row.counter.until = one?.until_ns ?? 0; // the process may have ended before the range
    row.detail = one ? `≤ ${size(topOf(row.counter))}` : "";
  }
  timeline.draw();
}

function source(query) {
  const [type, , text] = measure();
  return ask("heap", query).then(({ types }) => lines(
    { ...query, of: "heap", function: state.function, file: state.file },
    { which: types.indexOf(type), texts: (values) => values.map(text),
      none: "No sampled allocation is in this function." }));
}

const LIVE = [
  { title: "Live", number: true, value: (row) => row.live_bytes, show: (row) => size(row.live_bytes) },
  { title: "±", about: ERROR, spare: 2, number: true, value: (row) => row.live_error_bytes,
    show: (row) => (row.live_bytes ? size(row.live_error_bytes) : "") },
  { title: "Grown", about: GROWN, number: true, value: (row) => row.grown_bytes,
    show: (row) => size(row.grown_bytes) },
  { title: "Live blocks", spare: 3, number: true, value: (row) => row.live_blocks,
    show: (row) => count(row.live_blocks) },
  { title: "Allocated", number: true, value: (row) => row.allocated_bytes,
    show: (row) => size(row.allocated_bytes) },
  { title: "Samples", about: "the fewer, the less certain are all numbers of a row", spare: 4,
    number: true, value: (row) => row.samples, show: (row) => count(row.samples) },
];

function line(row) {
  return [functionOf(row), h("span.sub", { title: row.site }, row.site === NO_SITE ? ""
    : site(row.site, row.via))];
}

/** The function of "file.py:12 function". */
function functionOf(row) {
  return row.site.replace(/^.*?:\d+ /, "");
}

function places({ memory }) {
  return panel("Lines", "the program’s own line that allocated, the one with the most live first",
    table([{ title: "Line", value: (row) => row.site, show: line }, ...LIVE], memory.sites));
}

function owners({ memory }) {
  const tables = [["Coroutines", "coro", memory.coroutines], ["Regions", "region", memory.regions]]
    .filter(([, , rows]) => rows.length).map(([title, key, rows]) => panel(title,
      "where it was allocated", table([{ title: title.slice(0, -1), value: (row) => row[key] },
        ...LIVE], rows)));
  return tables.length ? h("div.columns", null, tables) : null;
}

function outlives({ escape }) {
  if (!escape.lines.length) return null;
  return panel("What outlives its call", "objects that were not freed before the call that made them returned", table([
    { title: "Line", value: (row) => row.site, show: line },
    { title: "Outlive", about: "share of the objects of which it is known", number: true,
      value: (row) => row.outlived_share ?? -1, show: (row) => (row.outlived_share === null ? "–"
        : share(Math.round(row.outlived_share * 1e6), 1e6)) },
    { title: "Outliving bytes", number: true, value: (row) => row.outlived_bytes,
      show: (row) => size(row.outlived_bytes) },
    { title: "Lifetime p50", spare: 3, ns: (row) => row.lifetime_p50_ns ?? 0, zero: "–" },
    { title: "p99", spare: 2, ns: (row) => row.lifetime_p99_ns ?? 0, zero: "–" },
    { title: "Live", number: true, value: (row) => row.live_bytes, show: (row) => size(row.live_bytes) },
  ], escape.lines));
}
