/** The frame around the pages: header, minimap, the page itself, the explanation beside it. */

import { ask, isGone, isShared, onGone, sharedNote } from "./api.js";
import { knowsDay, setStart, toggleClock } from "./clock.js";
import { fill, h } from "./dom.js";
import { attachKeys, help, search } from "./keys.js";
import { minimap } from "./minimap.js";
import { capital, nouns, setNouns } from "./nouns.js";
import { showCpu } from "./pages/cpu.js";
import { showGc } from "./pages/gc.js";
import { showIo } from "./pages/io.js";
import { showLocks } from "./pages/locks.js";
import { showMemory } from "./pages/memory.js";
import { showOverview } from "./pages/overview.js";
import { showProcesses } from "./pages/processes.js";
import { showTasks } from "./pages/tasks.js";
import { showThreads } from "./pages/threads.js";
import { showWhy } from "./pages/why.js";
import { themeChanged } from "./palette.js";
import { canOpen, findPerfetto, openPerfetto } from "./perfetto.js";
import { isFamily, setProcesses } from "./processes.js";
import { begin, link, notUnderstood, onChange, state } from "./state.js";
import { explain } from "./why.js";

/**
 * A page takes `root`, and returns functions that ask for the data of the range (`load`), show
 * the answers (`show`), and clean up when another page comes (`stop`).
 * @type {Object<string, [string, (root: HTMLElement, meta: any) => any]>}
 */
const PAGES = {
  overview: ["Overview", showOverview],
  tasks: ["Tasks", showTasks],
  threads: ["Threads", showThreads],
  locks: ["Locks", showLocks],
  io: ["I/O", showIo],
  gc: ["GC", showGc],
  memory: ["Memory", showMemory],
  cpu: ["CPU", showCpu],
  why: ["Why", showWhy],
  processes: ["Processes", showProcesses],
};
const OF_FAMILIES = ["processes"]; // pages that only a recording of several processes has
const PAGE_KEYS = ["page", "coro", "site", "task", "thread", "function", "file", "shape",
  "measure", "clock"];
const THEME = "tracer-theme";
const RANGE_REST_MS = 150;

function pages() {
  return Object.keys(PAGES).filter((page) => isFamily() || !OF_FAMILIES.includes(page));
}

function header(meta) {
  const links = pages().map((page) => [page, PAGES[page]]).map(([page, [title]]) =>
    h("a", { href: `#/${page}`, data: { page } }, title));
  const mark = () => {
    for (const one of links) {
      const { page } = one.dataset;
      one.href = link({ page, coro: "", site: "", task: "", thread: "", find: "", function: "",
        file: "", shape: "", measure: "" });
      if (page === (state.page in PAGES ? state.page : "overview")) one.setAttribute("aria-current", "page");
      else one.removeAttribute("aria-current");
    }
  };
  onChange(mark);
  mark();
  return h("header.top", null,
    h("span.brand", null, h("i", null, "▚ "), "tracer"),
    h("nav", null, links),
    h("span.file", { title: meta.name }, meta.name),
    h("button", { onclick: search, title: "Search (/)" }, "Search ", h("kbd", null, "/")),
    canOpen() && h("button.perfetto", { onclick: () => openPerfetto() }, "Open in Perfetto"),
    knowsDay() && h("button.icon", { onclick: toggleClock, title: "Time of day (T)", "aria-label":
      "Time of day" }, "◷"),
    h("button.icon", { onclick: toggleTheme, title: "Dark or light", "aria-label":
      "Dark or light" }, "◐"),
    h("button.icon", { onclick: help, title: "Keys (?)", "aria-label": "Keys" }, "?"));
}

function setTheme(dark) {
  document.documentElement.classList.toggle("dark", dark);
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  themeChanged();
  dispatchEvent(new Event("themechange"));
}

function toggleTheme() {
  const dark = !document.documentElement.classList.contains("dark");
  try {
    localStorage.setItem(THEME, dark ? "dark" : "light");
  } catch { /* a shared file may have no storage */ }
  setTheme(dark);
}

function startTheme() {
  const system = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try {
    chosen = localStorage.getItem(THEME);
  } catch { /* as above */ }
  setTheme(chosen ? chosen === "dark" : system.matches);
  system.addEventListener("change", () => !chosen && setTheme(system.matches));
}

async function start() {
  startTheme();
  const gone = h("div.note.bad", { role: "status", hidden: true });
  const [meta] = await Promise.all([ask("meta"), findPerfetto()]);
  document.title = `${meta.name} – tracer`;
  begin(meta.duration_ns);
  setStart(meta.start_unix_ns);
  setProcesses(meta);
  setNouns(meta);
  PAGES.tasks[0] = `${capital(nouns.task)}s`;
  const main = h("main", { tabindex: -1 });
  fill(gone, "The server has ended: only what is already here can be shown. Start it again with ",
    h("code", null, `tracer view ${meta.command}`), " and open the address that it prints.");
  onGone((is) => (gone.hidden = !is));
  const wrong = h("div.note.bad", { role: "status", hidden: true });
  let settle = () => {};
  const settled = new Promise((done) => (settle = done));
  const aside = h("aside", { "aria-label": "Explanation", hidden: true });
  document.body.append(header(meta), gone, wrong, isShared && sharedNote ? h("div.note", null, sharedNote) : "",
    minimap(meta, settled), h("div.body", null, main, aside));
  attachKeys(pages());

  let current = null;
  let rest = 0;
  let turn = 0;
  /** Shows only the newest answer, never that of an older range or of a former page. */
  const refresh = async () => {
    const mine = ++turn;
    let failure = null;
    try {
      const answers = await current.load();
      if (mine === turn) await current.show(answers);
    } catch (error) {
      if (!isGone(error)) failure = h("p.error", null, error.message);
    }
    if (mine !== turn) return;
    main.querySelector(":scope > .error")?.remove();
    if (failure) main.prepend(failure);
  };
  const showPage = () => {
    complain(wrong, meta);
    clearTimeout(rest);
    current?.stop?.();
    fill(main);
    main.scrollTop = 0;
    current = (PAGES[state.page] ?? PAGES.overview)[1](main, meta);
    refresh().then(settle);
  };
  const showAside = () => {
    aside.hidden = !state.sel || state.page === "why";
    if (!aside.hidden) explain(aside);
  };
  onChange((before) => {
    if (PAGE_KEYS.some((name) => before[name] !== state[name])) showPage();
    else if (before.from !== state.from || before.to !== state.to) {
      clearTimeout(rest);
      rest = setTimeout(refresh, RANGE_REST_MS);
    }
    if (before.sel !== state.sel || before.page !== state.page) {
      showAside();
      if (state.page === "why" && before.page === "why") showPage();
    }
  });
  showPage();
  showAside();
  document.documentElement.dataset.ready = "yes";
}

/** Says what of the link this recording does not have. */
function complain(node, meta) {
  const told = notUnderstood().map((part) => `The link's “${part}” means nothing here.`);
  if (!(state.page in PAGES)) {
    told.push(`There is no page “${state.page}”; this is the overview.`);
  }
  if (state.thread && !meta.threads.some((one) => `${one.pid}:${one.tid}` === state.thread)) {
    told.push(`This recording has no thread ${state.thread}.`);
  }
  node.hidden = !told.length;
  fill(node, told.join(" "));
}

start().catch((error) => {
  document.body.append(h("p.error", null, `This page cannot be shown: ${error.message}`));
});
