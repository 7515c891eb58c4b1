/** The page of `tracer open`: straight into the Perfetto UI. */

import { h } from "./dom.js";
import { findPerfetto, localAddress, openPerfetto } from "./perfetto.js";

const commands = await fetch("api/perfetto").then((answer) => answer.json());
await findPerfetto();
if (commands.local) {
  const query = new URLSearchParams({ startupCommands: JSON.stringify(commands.commands) });
  location.replace(localAddress(query));
} else {
  const button = h("button.primary", { onclick: () => openPerfetto() }, "Open in Perfetto");
  document.body.append(h("main", null, h("p", null,
    "The trace is handed over inside your browser; it is not uploaded. "), button));
  openPerfetto(); // if a pop-up blocker refuses, there is the button
}
