/** The explanation of the selected slice, and the worst waits to choose from. */

import { ask } from "../api.js";
import { fill, h, marked } from "../dom.js";
import { count, durations, site } from "../format.js";
import { go, isWhole, rangeQuery, state } from "../state.js";
import { panel, table } from "../table.js";
import { explain, showWait } from "../why.js";

/** The kinds of waits whose own name does not say it. */
const KINDS = { gil: "GIL", lock: "lock", call: "blocking call" };

export function showWhy(root) {
  const place = h("div.pad");
  const below = h("div");
  const box = h("section.panel", null, place);
  root.append(state.sel ? box : "", below);
  if (state.sel) explain(place);
  const load = () => Promise.all([ask("why"), ask("waits", rangeQuery())]);
  const show = ([found, waits]) => fill(below, problems(found), longest(waits));
  return { load, show };
}

/** The waits that `tracer why` reports; in a range, those that overlap it. */
function problems(found) {
  const here = found.filter((one) => one.start_ns < state.to && one.start_ns + one.ns >= state.from);
  const rest = found.length - here.length;
  const costs = durations(here.map((one) => one.total_ns));
  return panel("The worst waits", `similar waits are grouped: the time is that of all, the text that of the longest${
    isWhole() ? "" : "; of the whole recording, those that overlap this range"}`,
  here.length ? h("ul.findings", null, here.map((one, i) => h("li", null,
    h("span.cost", null, costs[i]),
    h("span", null, marked(one.text)),
    h("button", { "aria-pressed": String(state.sel === `${one.group}:${one.row}`),
      onclick: () => go({ sel: `${one.group}:${one.row}` }) }, "Why"))))
    : h("p.empty", null, found.length ? "None of them overlaps this range." : "The program lost less than 1 ms to waits."),
  rest > 0 && h("p.elsewhere", null, `${rest} more elsewhere in the recording.`));
}

/** Of all kinds, so that they compare; a row leads to its slice. */
function longest(rows) {
  return panel("Longest waits in this range",
    "of all kinds, without those of who has nothing to do; similar ones are grouped", table([
    { title: "Who", value: (row) => row.who, show: (row) => [row.who,
      row.coro && !row.who.startsWith(row.coro) && h("span.sub", null, row.coro)] },
    { title: "Wait", value: (row) => KINDS[row.what] ?? row.what,
      show: (row) => [row.subject || (KINDS[row.what] ?? row.what),
        row.site && h("span.sub", { title: row.site }, site(row.site, row.via))] },
    { title: "Longest", ns: (row) => row.ns },
    { title: "Start", at: (row) => row.start_ns },
    { title: "Waits", number: true, spare: 2, value: (row) => row.count, show: (row) => count(row.count) },
    { title: "All together", spare: 1, ns: (row) => row.total_ns },
    { title: "Mostly", value: (row) => row.behind, show: (row) => marked(row.behind) },
  ], rows, { empty: "No waits in this range.",
    onrow: (row) => showWait(row, row.whole_ns, { coro: row.coro, site: row.coro_site }) }));
}
