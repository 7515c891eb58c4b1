/** Questions to the server, or to the data inside a shared file. */

/** @type {{answers: string, tiles: Object<string, string>, note: string}|undefined} */
const embedded = globalThis.tracerData;
const kept = new Map();
const MOST_KEPT = 60;

export const isShared = embedded !== undefined;
export const sharedNote = embedded?.note ?? "";

/** The answer to a question, as an object; the same question is asked once. */
export function ask(name, query = {}) {
  const address = `api/${name}${text(query)}`;
  if (!kept.has(address)) {
    const answer = busy(embedded ? fromFile(name, query)
      : fetched(address).then((found) => found.json()));
    kept.set(address, answer);
    answer.catch(() => kept.delete(address));
    if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
  }
  return kept.get(address);
}

/** The bytes of a tile; null when a shared file does not have it. */
export function tileBytes(group, lanes, level, index) {
  return busy(tile(group, lanes, level, index));
}

async function tile(group, lanes, level, index) {
  if (embedded) {
    const found = embedded.tiles[`${group}/${lanes.join(",")}/${level}/${index}`];
    return found === undefined ? null : unpacked(found);
  }
  const query = text({ group, lanes: lanes.join(","), level, index });
  return (await fetched(`api/tile${query}`)).arrayBuffer();
}

let open = 0;

/** The page is marked as busy until the last open question is answered. */
async function busy(answer) {
  const page = document.documentElement;
  open++;
  page.setAttribute("aria-busy", "true");
  try {
    return await answer;
  } finally {
    open--;
    if (!open) page.removeAttribute("aria-busy");
  }
}

/** The server has ended: what was not asked before is not to be had. */
class GoneError extends Error {}

let tellGone = () => {};

/** Calls back with true when the server no longer answers, with false when it does again. */
export function onGone(listener) {
  tellGone = listener;
}

export function isGone(error) {
  return error instanceof GoneError;
}

async function fetched(address) {
  let answer = null;
  try {
    answer = await fetch(address);
  } catch {
    tellGone(true);
    throw new GoneError("The server has ended.");
  }
  tellGone(false);
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

let answers = null;

/** A shared file has the answers for the whole recording, packed. */
async function fromFile(name, query) {
  const { from, to, ...rest } = query;
  answers ??= unpacked(embedded.answers).then((bytes) => JSON.parse(new TextDecoder().decode(bytes)));
  const found = (await answers)[name + text(rest)];
  if (found === undefined) throw new Error("the shared file does not contain this answer");
  return found;
}

async function unpacked(base64) {
  const packed = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Response(stream).arrayBuffer();
}

function text(query) {
  const parts = new URLSearchParams(query).toString();
  return parts ? `?${parts}` : "";
}
