/** Rows of threads: those that differ only in a number are one row, which opens. */

const FEWEST = 6; // alike
const SPREAD = ["count", "total", "max"]; // of several spreads only these are known

/**
 * The rows, in the order of the first thread of each.
 * @param {any} report
 * @param {Set<string>} open the keys of the rows whose threads are shown below them
 */
export function folded({ threads, stems }, open) {
  const groups = new Map();
  threads.forEach((row, i) => {
    const key = keyOf(row, stems[i]);
    const same = groups.get(key);
    if (same) same.push(row);
    else groups.set(key, [row]);
  });
  return [...groups].flatMap(([key, rows]) => {
    if (rows.length < FEWEST) return rows;
    const [, name] = key.split("\n");
    return [{ ...sums(rows), key, name, many: rows.length },
      ...(open.has(key) ? rows.map((row) => ({ ...row, of: key })) : [])];
  });
}

/** The key of the row that a thread may be part of. */
export function keyOf({ process }, stem) {
  return [process, ...stem].join("\n");
}

/** What many threads did, summed; percentiles of them all are not known. */
function sums(rows) {
  const [first] = rows;
  const states = {};
  for (const name of Object.keys(first.states)) {
    states[name] = total(rows, (row) => row.states[name]);
  }
  const waits = Object.fromEntries(SPREAD.map((name) => [name, name === "max"
    ? Math.max(...rows.map((row) => row.gil_wait_ns.max))
    : total(rows, (row) => row.gil_wait_ns[name])]));
  return { ...first, tid: -1, states, wall_ns: total(rows, (row) => row.wall_ns),
    idle_ns: total(rows, (row) => row.idle_ns),
    gil_wait_ns: waits };
}

function total(rows, value) {
  return rows.reduce((sum, row) => sum + value(row), 0);
}
