/** CPU samples: a flame graph or icicle, the functions, and the source lines of one. */

import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { FlameGraph, shapes } from "../flame.js";
import { duration, durations, share } from "../format.js";
import { lines } from "../lines.js";
import { nouns } from "../nouns.js";
import { go, rangeQuery, state } from "../state.js";
import { panel, table, whyEmpty } from "../table.js";

export function showCpu(root, meta) {
  const place = h("div");
  root.append(place);
  let graph = null;
  const load = () => {
    const query = { ...rangeQuery() };
    if (state.thread) query.thread = state.thread;
    if (state.coro) query.task = state.coro;
    return Promise.all([ask("flame", query), ask("report"), state.function && source(query)]);
  };
  const show = ([told, report, found]) => {
    const nothing = () => whyEmpty(report, "cpu", "No CPU sample was taken of this");
    graph?.destroy();
    graph = new FlameGraph(told.tree, { text: duration, icicle: state.shape === "icicle",
      onchoose: choose });
    const [whole] = told.tree.values;
    const about = `${duration(whole)} of CPU time, sampled`;
    const flames = panel("CPU", about, whole ? graph.node
      : h("p.empty", null, nothing()));
    flames.querySelector("header").append(h("span.push", null, filters(meta, report.tasks), shapes()));
    fill(place, flames, found || null, functions(told, nothing));
    graph.resize();
  };
  return { load, show, stop: () => graph?.destroy() };
}

function choose(call) {
  go({ function: call.function, file: call.file });
}

function source(query) {
  return lines({ ...query, function: state.function, file: state.file },
    { texts: durations, none: "No CPU sample is in this function." });
}

function filters(meta, tasks) {
  const threads = h("select", { "aria-label": "Thread",
    onchange: () => go({ thread: threads.value }) },
  h("option", { value: "" }, "all threads"), meta.threads.map((one) => h("option", {
    value: `${one.pid}:${one.tid}`, selected: state.thread === `${one.pid}:${one.tid}` },
  one.name)));
  const coroutines = h("select", { "aria-label": "Coroutine",
    onchange: () => go({ coro: coroutines.value }) },
  h("option", { value: "" }, `with or without a ${nouns.task}`), tasks.map((one) => h("option", {
    value: one.coro, selected: state.coro === one.coro }, one.coro)));
  return [threads, tasks.length ? coroutines : null];
}

function functions(told, nothing) {
  const [whole] = told.tree.values;
  return panel("Functions", "", table([
    { title: "Self", ns: (row) => row.self_ns },
    { title: "", number: true, value: (row) => row.self_ns, show: (row) => share(row.self_ns, whole) },
    { title: "Cumulative", about: "self time and the time of everything it called",
      ns: (row) => row.cumulative_ns },
    { title: "", number: true, value: (row) => row.cumulative_ns,
      show: (row) => share(row.cumulative_ns, whole) },
    { title: "Function", value: (row) => row.function, show: (row) => [row.function,
      h("span.sub", { title: row.file }, row.file && `${row.file.split("/").slice(-2).join("/")}:${
        row.line}`)] },
  ], told.functions, { onrow: choose, empty: nothing(),
    chosen: (row) => row.function === state.function && row.file === state.file }));
}
