/** Contention: who had each lock, and above it who waited. */

import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { count, duration, share, site } from "../format.js";
import { legend } from "../palette.js";
import { rangeQuery } from "../state.js";
import { panel, table } from "../table.js";
import { Timeline } from "../timeline.js";

const HOLD = 20;
const WAIT = 12;
const DENSE = 7; // waiters of a lock that has many
const MANY = 6;
const MOST_LOCKS = 40;
const LITTLE = 1000; // of the longest waiting: less is not drawn

export function showLocks(root) {
  const lanes = h("div");
  const below = h("div");
  root.append(lanes, below);
  let timeline = null;
  const load = () => Promise.all([ask("report", rangeQuery()), ask("locks")]);
  const show = ([{ locks }, tracks]) => {
    if (!timeline) {
      const most = Math.max(0, ...tracks.map((one) => one.wait_ns));
      const drawn = tracks.filter((one) => one.is_held || one.wait_ns * LITTLE >= most);
      timeline = new Timeline(rows(drawn), { height: Math.max(innerHeight - 400, 240),
        empty: "No lock was waited for." });
      fill(lanes, panel("Contention", "above each lock those who wait, below who has it; click",
        timeline.node, h("div.pad", null, legend(["lock", "idle"]),
          h("span.hint", null, "Holders are coloured by name; each is written in its slice. ",
            tracks.length > drawn.length && `${tracks.length - drawn.length
            } locks that were waited for but a moment are only in the table.`))));
    }
    fill(below, panel("In this range", "", locksTable(locks)));
  };
  return { load, show, stop: () => timeline?.destroy() };
}

/** Of every lock the deepest waiters first, its holder last. */
function rows(tracks) {
  return tracks.slice(0, MOST_LOCKS).flatMap((lock) => {
    const height = lock.waits.length > MANY ? DENSE : WAIT;
    const title = `${lock.kind} ${site(lock.site)}`;
    const waits = [...lock.waits].reverse().map((lane, i) => ({ group: "waits", lane,
      title: !lock.is_held && i === lock.waits.length - 1 ? title : "", height,
      gap: i ? -2 : 10 }));
    const hold = { group: "locks", lane: lock.hold, title, detail: duration(lock.wait_ns),
      height: HOLD, gap: -1 };
    return lock.is_held ? [...waits, hold] : waits;
  });
}

function locksTable(rows_) {
  return table([
    { title: "Lock", value: (row) => row.kind, show: (row) => [row.kind,
      h("span.sub", { title: row.site }, site(row.site)),
      row.locks > 1 && h("span.sub", null, `×${row.locks}`)] },
    { title: "Waits", number: true, value: (row) => row.waits, show: (row) => count(row.waits) },
    { title: "Timed out", number: true, value: (row) => row.timed_out,
      show: (row) => count(row.timed_out) },
    ...["total", "p50", "p99", "max"].map((name) => ({
      title: name === "total" ? "Waited" : name, number: true, value: (row) => row.wait_ns[name],
      show: (row) => duration(row.wait_ns[name]) })),
    { title: "Longest hold", number: true, value: (row) => row.hold_ns.max,
      show: (row) => duration(row.hold_ns.max) },
    { title: "Waited for", value: (row) => row.waited_for[0]?.who ?? "", show: (row) => {
      const [first] = row.waited_for;
      if (!first) return h("span.faint", null, row.idle ? "nobody has it: idle" : "");
      return [first.who || first.kind, h("span.sub", null, share(first.ns, row.wait_ns.total))];
    } },
  ], rows_, { empty: "No lock was waited for in this range." });
}
