/** Lock contention: who held each lock, and who waited for it. */

import { ask } from "../api.js";
import { fill, h } from "../dom.js";
import { count, duration, share, site } from "../format.js";
import { legend } from "../palette.js";
import { ofProcess } from "../processes.js";
import { go, rangeQuery, state } from "../state.js";
import { panel, SPARE, table, whyEmpty } from "../table.js";
import { reveal, Timeline } from "../timeline.js";

const HOLD = 20;
const WAIT = 12;
const DENSE = 7; // a waiter, where a lock has many
const MANY = 6;
const MOST_LOCKS = 40;
const NOBODY = "Nobody waited for a lock";
const LITTLE = 1000; // a lock with less than this part of the longest waiting is not drawn

export function showLocks(root) {
  const lanes = h("div");
  const below = h("div");
  root.append(lanes, below);
  let timeline = null;
  const load = () => Promise.all([ask("report", rangeQuery()), ask("locks")]);
  const show = ([report, tracks]) => {
    const looked = state.site && tracks.find((one) => one.site === state.site);
    if (looked?.is_held) reveal("locks", looked.hold);
    else if (looked) reveal("waits", looked.waits[0]);
    if (!timeline) {
      const most = Math.max(0, ...tracks.map((one) => one.wait_ns));
      const drawn = tracks.filter((one) => one.is_held || one.wait_ns * LITTLE >= most);
      timeline = new Timeline(rows(drawn), { height: Math.max(innerHeight - 400, 240),
        empty: whyEmpty(report, "locks", NOBODY) });
      fill(lanes, panel("Contention", "waiters above, the holder below; click a slice for its explanation",
        timeline.node, h("div.pad", null, legend(["lock", "idle"]),
          h("span.hint", null, "The name of each holder is in its slice; the colours only tell holders apart. ",
            leftOut(tracks.length - drawn.length)))));
    }
    fill(below, panel("In this range", "", locksTable(report)));
  };
  return { load, show, stop: () => timeline?.destroy() };
}

function leftOut(locks) {
  if (!locks) return "";
  return locks === 1 ? "A lock with negligible waits is only in the table."
    : `${count(locks)} locks with negligible waits are only in the table.`;
}

/** For every lock the deepest waiters first, its holder last. */
function rows(tracks) {
  return tracks.slice(0, MOST_LOCKS).flatMap((lock) => {
    const height = lock.waits.length > MANY ? DENSE : WAIT;
    const title = `${lock.kind} ${site(lock.site)}`;
    const waits = [...lock.waits].reverse().map((lane, i) => ({ group: "waits", lane,
      title: !lock.is_held && i === lock.waits.length - 1 ? title
        : !i && lock.more ? `${count(lock.more)} more waiters are not drawn` : "", height,
      gap: i ? -2 : 10 }));
    const hold = { group: "locks", lane: lock.hold, title, detail: duration(lock.wait_ns),
      height: HOLD, gap: -1 };
    return lock.is_held ? [...waits, hold] : waits;
  });
}

function locksTable(report) {
  return table([
    { title: "Lock", value: (row) => row.kind, show: (row) => [row.kind,
      h("span.sub", { title: row.site }, site(row.site, row.via)),
      row.locks > 1 && h("span.sub", null, `×${row.locks}`), ofProcess(row)] },
    { title: "Waits", number: true, value: (row) => row.waits, show: (row) => count(row.waits) },
    { title: "Timed out", number: true, spare: 1, value: (row) => row.timed_out,
      show: (row) => count(row.timed_out) },
    ...["total", "p50", "p99", "max"].map((name) => ({
      title: name === "total" ? "Waiting, summed" : name, spare: SPARE[name], ns: (row) => row.wait_ns[name] })),
    { title: "Longest hold", ns: (row) => row.hold_ns.max, zero: "" },
    { title: "Mostly behind", value: (row) => row.waited_for[0]?.who ?? "", show: (row) => {
      const [first] = row.waited_for;
      if (!first) return h("span.faint", null, row.idle ? "no holder: idle wait" : "");
      return [first.who || first.kind, h("span.sub", null, share(first.ns, row.wait_ns.total))];
    } },
  ], report.locks, { empty: whyEmpty(report, "locks", NOBODY),
    chosen: (row) => row.site === state.site, onrow: (row) => go({ site: row.site }) });
}
