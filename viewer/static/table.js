/**
 * A table that sorts by any column.
 *
 * @typedef {Object} Column
 * @property {string} title
 * @property {(row: any) => any} [value] what it is sorted by
 * @property {(row: any) => any} [show] what is shown: a node, or a text
 * @property {boolean} [number] aligned right, the largest first
 * @property {(row: any) => number} [ns] a duration, instead of `value`, `show` and `number`
 * @property {(row: any) => number} [at] a moment, likewise
 * @property {any} [zero] what is shown instead of a zero
 * @property {string} [about] the tooltip of its title
 * @property {number} [spare] where there is no room, columns with the largest go first
 */

import { whens } from "./clock.js";
import { h } from "./dom.js";
import { durations } from "./format.js";
import { isWhole } from "./state.js";

const MOST_ROWS = 500;
/** Of the numbers about many durations, those in the middle go first. */
export const SPARE = { p50: 5, p90: 6, p99: 4 };

/**
 * @param {Column[]} wanted
 * @param {any[]} rows in the order they are shown at first
 * @param {{onrow?: (row: any) => void, chosen?: (row: any) => boolean, empty?: any}} [options]
 */
export function table(wanted, rows, { onrow, chosen, empty = "Nothing in this range." } = {}) {
  if (!rows.length) return h("p.empty", null, empty);
  const columns = wanted.map((column) => withTexts(column, rows));
  const body = h("tbody");
  const heads = columns.map((column, i) =>
    h(column.number ? "th.num" : "th", { scope: "col", title: column.about },
      h("button", { type: "button", onclick: () => sortBy(i) }, column.title)));
  let sorted = -1;
  let ascending = false;
  const show = (ordered) => {
    body.replaceChildren(...ordered.slice(0, MOST_ROWS).map((row) => line(row)));
    if (ordered.length > MOST_ROWS) {
      body.append(h("tr", null, h("td.faint", { colspan: columns.length },
        `… and ${ordered.length - MOST_ROWS} more`)));
    }
  };
  const line = (row) => {
    const cells = columns.map((column) => h(column.number ? "td.num" : "td", null,
      column.show ? column.show(row) : String(column.value(row))));
    const marks = [onrow && "link", chosen?.(row) && "chosen"].filter(Boolean);
    const node = h(["tr", ...marks].join("."), onrow && {
      tabindex: 0,
      onclick: () => onrow(row),
      onkeydown: (event) => event.key === "Enter" && onrow(row),
    }, cells);
    return node;
  };
  function sortBy(i) {
    const { value, number } = columns[i];
    ascending = sorted === i ? !ascending : !number;
    sorted = i;
    heads.forEach((head, k) => {
      head.removeAttribute("aria-sort");
      if (k === i) head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
    });
    const sign = ascending ? 1 : -1;
    show([...rows].sort((a, b) => sign * compare(value(a), value(b))));
    fit(box, columns);
  }
  show(rows);
  const whole = h("table", null, h("thead", null, h("tr", null, heads)), body);
  const box = h("div.scroll", null, whole, h("p.hint.pad", { hidden: true }));
  let width = 0;
  new ResizeObserver(() => {
    if (box.clientWidth !== width) fit(box, columns);
    width = box.clientWidth;
  }).observe(box);
  return box;
}

/** Gives names less room, then leaves columns out, until the rest can be read. */
function fit(box, columns) {
  const [whole, said] = box.children;
  const show = (i, is) => {
    for (const row of whole.rows) if (row.cells[i]) row.cells[i].hidden = !is;
  };
  columns.forEach((_, i) => show(i, true));
  const isCut = () => box.scrollWidth > box.clientWidth;
  box.classList.toggle("tight", false);
  box.classList.toggle("tight", isCut());
  const order = columns.map((column, i) => i).filter((i) => columns[i].spare)
    .sort((a, b) => columns[b].spare - columns[a].spare);
  const left = [];
  while (isCut() && order.length) {
    show(order[0], false);
    left.push(columns[order.shift()].title);
  }
  said.hidden = !left.length;
  said.textContent = `No room for: ${left.join(", ")}.`;
}

/** A column of times has one precision for all rows. */
function withTexts(column, rows) {
  const value = column.ns ?? column.at;
  if (!value) return column;
  const texts = (column.ns ? durations : whens)(rows.map(value));
  const byRow = new Map(rows.map((row, i) => [row, value(row) ? texts[i] : column.zero ?? "0"]));
  return { number: true, value, show: (row) => byRow.get(row), ...column };
}

function compare(a, b) {
  return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(b);
}

/** Why a section of the report is empty: it was not recorded, or `otherwise`. */
export function whyEmpty({ why_not: reasons, missing }, section, otherwise) {
  const reason = reasons[section];
  if (reason) return `Not recorded: ${reason}.`;
  const where = isWhole() ? "" : " in this range";
  return [`${otherwise}${where}.`, ...missing.map((text) => h("div", null, text))];
}

/** A panel with a heading. */
export function panel(title, about, ...content) {
  return h("section.panel", null,
    h("header", null, h("h2", null, title), about && h("small", null, about)), content);
}
