/** Creates elements in one expression. */

/**
 * An element with properties, listeners (`onclick`) and children; text stays text.
 * @param {string} tag `div`, or `div.class.other`
 * @param {Object<string, any>} [props] `style` is an object, `data` becomes data-attributes
 * @param {...any} children nodes, texts, arrays of them; null, false and "" are left out
 * @returns {HTMLElement}
 */
export function h(tag, props, ...children) {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name || "div");
  if (classes.length) node.className = classes.join(" ");
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key === "style") Object.assign(node.style, value);
    else if (key === "data") Object.assign(node.dataset, value);
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...flat(children));
  return node;
}

/** Replaces all children of a node. */
export function fill(node, ...children) {
  node.replaceChildren(...flat(children));
}

/** A text in which `…` stands for code. */
export function marked(text) {
  return text.split("`").map((part, i) => (i % 2 ? h("code", null, part) : part));
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== "");
}
