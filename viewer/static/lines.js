/** The source lines of a function, each with what samples say of it. */

import { ask } from "./api.js";
import { h } from "./dom.js";
import { panel } from "./table.js";

/**
 * @param {Object<string, any>} query with `function` and `file`
 * @param {{which?: number, texts: (values: number[]) => string[], none: string}} options
 *   which: the place of the values that are shown; none: what is said without a sample
 */
export async function lines(query, { which = 0, texts, none }) {
  let told = null;
  try {
    told = await ask("source", query);
  } catch (error) {
    return panel(query.function, "", h("p.empty", null, error.message));
  }
  if (!told) return panel(query.function, "", h("p.empty", null, none));
  const [self, cumulative] = ["own", "values"].map((name) =>
    told.lines.map((line) => line[name][which] ?? 0));
  const [owns, sums] = [texts(self), texts(cumulative)];
  const top = Math.max(...cumulative);
  return panel(told.function, told.file, h("div.source", null, h("table", null,
    told.lines.map((line, i) => h(cumulative[i] * 10 > top ? "tr.hot" : "tr", null,
      h("td.num", null, self[i] ? owns[i] : ""),
      h("td.num", null, cumulative[i] ? sums[i] : ""),
      h("td.num.faint", null, String(line.line)),
      h("td", null, line.text || " "))))));
}
