/** The explanation of one slice: what it was, who was in the way, where its arrows lead. */

import { ask } from "./api.js";
import { fill, h, marked } from "./dom.js";
import { duration, moment, share, site } from "./format.js";
import { canOpen, openPerfetto } from "./perfetto.js";
import { go, link, state } from "./state.js";

const SITES = new Set(["site", "owner_site"]);

/** Fills a node with the explanation of the selected slice. */
export async function explain(node) {
  const wanted = state.sel;
  const [group, row] = wanted.split(":");
  let told;
  try {
    told = await ask("slice", { group, row });
  } catch (error) {
    fill(node, h("p.empty", null, error.message));
    return;
  }
  if (state.sel !== wanted) return;
  node.classList.add("why");
  fill(node,
    h("h2", null, told.title),
    h("p.whose", null, [told.whose, told.kind !== told.title && told.kind]
      .filter(Boolean).join(" · ")),
    h("dl", null,
      line("lasted", h("b", null, duration(told.ns)), told.unfinished && " (unfinished)"),
      line("from", moment(told.start_ns, told.ns)),
      line("to", moment(told.start_ns + told.ns, told.ns))),
    actions(told),
    told.story && h("p.story", null, marked(told.story)),
    told.meanwhile && meanwhile(told),
    owner(told),
    stacks(told),
    links(told),
    rest(told));
}

function line(name, ...content) {
  return [h("dt", null, name), h("dd", null, content)];
}

/** A range that has the slice in its middle. */
export function around(told) {
  const pad = Math.max(told.ns * 0.6, 500);
  return { from: told.start_ns - pad, to: told.start_ns + told.ns + pad };
}

function actions(told) {
  return h("div.actions", null,
    h("button", { title: "F", onclick: () => go(around(told)) }, "Zoom to it"),
    canOpen() && h("button", { onclick: () => openPerfetto(told) }, "Show in Perfetto"),
    h("button", {
      onclick: (event) => {
        navigator.clipboard?.writeText(location.href.split("#")[0] + link({}));
        event.target.textContent = "Copied";
      },
    }, "Copy link"),
    h("button", { title: "Escape", onclick: () => go({ sel: "" }) }, "Close"));
}

function meanwhile({ meanwhile: { what, parts }, ns }) {
  return [
    h("h3", null, what === "lock" ? "Who had the lock meanwhile" :
      what === "GIL" ? "Who had the GIL meanwhile" : "What the event loop did meanwhile"),
    h("div.parts", null, parts.map((part) => [
      h("span", null, part.who || "(no name)"),
      h("span.num", null, duration(part.ns)),
      h("span.num.faint", null, share(part.ns, ns)),
      h("div.track", null, h("i", { style: { width: `${(part.ns / ns) * 100}%` } })),
    ])),
  ];
}

function owner({ args }) {
  if (args.owner_name === undefined && args.owner_site === undefined) return null;
  return [
    h("h3", null, "Who had it when the wait began"),
    h("dl", null,
      args.owner_name && line("owner", args.owner_name),
      args.owner_site && line("took it at", h("code", { title: args.owner_site },
        site(args.owner_site)))),
  ];
}

function stacks({ stack, args, title }) {
  const own = stack.length ? stack : args.site ? [args.site] : [];
  return own.length ? [
    h("h3", null, title.includes("wait") || title.includes("await") ? "Where it waited" : "Where"),
    h("ol", null, own.map((frame) => h("li", { title: frame },
      `${site(frame)} ${frame.split(" ").slice(1).join(" ")}`))),
  ] : null;
}

function links(told) {
  if (!told.links.length) return null;
  return [
    h("h3", null, "Arrows"),
    h("dl", null, told.links.map((one) => line(one.what,
      one.row >= 0
        ? h("a", { href: link({ sel: `${one.group}:${one.row}` }) }, one.title)
        : one.title,
      h("span.faint", null, ` at ${moment(one.start_ns, told.ns)}`)))),
  ];
}

function rest({ args }) {
  const shown = Object.entries(args).filter(([name]) => name !== "owner_name" &&
    name !== "owner_site");
  if (!shown.length) return null;
  return [
    h("h3", null, "Recorded with it"),
    h("dl", null, shown.map(([name, value]) =>
      line(name, SITES.has(name) ? h("code", { title: value }, site(value)) : String(value)))),
  ];
}
