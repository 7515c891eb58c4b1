/** Hands the trace to the Perfetto UI: to a copy beside this page, else to the hosted one. */

import { isShared } from "./api.js";

const PATIENCE_MS = 60_000;
const PING_MS = 100;
let about = null;

/** Asks where the UI is; without an answer there is no button. */
export async function findPerfetto() {
  if (isShared) return;
  const answer = await fetch("api/perfetto");
  about = await answer.json();
}

export function canOpen() {
  return about !== null;
}

/** Opens the UI with the trace, at a slice when one is given. Needs a click (pop-ups). */
export function openPerfetto(told = null) {
  const query = new URLSearchParams({ startupCommands: JSON.stringify(about.commands) });
  if (told) {
    const pad = Math.max(told.ns, 1000);
    query.set("visStart", String(BigInt(told.ts) - BigInt(Math.round(pad))));
    query.set("visEnd", String(BigInt(told.ts) + BigInt(Math.round(told.ns + pad))));
    query.set("ts", String(told.ts));
    query.set("dur", String(told.ns));
  }
  return about.local ? openLocal(query) : openHosted(query);
}

/** One origin serves the UI and the trace, as the UI's policy requires. */
export function localAddress(query) {
  const base = new URL(about.local, location.href.split("#")[0]);
  query.set("url", new URL(about.trace, base).href);
  return `${base.href}#!/?${query.toString().replaceAll("+", "%20")}`;
}

function openLocal(query) {
  return open(localAddress(query), "_blank");
}

/** The hosted UI takes a trace as a message, once it answers. */
function openHosted(query) {
  const ui = open(`${about.hosted}/#!/?${query.toString().replaceAll("+", "%20")}`, "_blank");
  if (!ui) return null;
  const bytes = fetch(about.trace).then((answer) => answer.arrayBuffer());
  const started = Date.now();
  const timer = setInterval(() => {
    if (ui.closed || Date.now() - started > PATIENCE_MS) stop();
    else ui.postMessage("PING", about.hosted);
  }, PING_MS);
  const hear = async (event) => {
    if (event.source !== ui || event.origin !== about.hosted || event.data !== "PONG") return;
    stop();
    const buffer = await bytes;
    ui.postMessage({ perfetto: { buffer, title: document.title } }, about.hosted);
  };
  const stop = () => {
    clearInterval(timer);
    removeEventListener("message", hear);
  };
  addEventListener("message", hear);
  return ui;
}
