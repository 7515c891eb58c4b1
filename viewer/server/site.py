"""The whole site of a trace: the page's files, its answers, the trace, a local Perfetto UI."""

from collections.abc import Callable, Iterable
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from viewer.server import perfetto
from viewer.server.http import Query, Reply, Route, Site
from viewer.trace.engine import BEST
from viewer.trace.files import Given, packets

if TYPE_CHECKING:  # the analysis is imported later: the page is served before
    from viewer.server.answers import Answers

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".md": "text/plain; charset=utf-8",  # docs/findings.md, which the findings link to
}
INDEX = "index.html"
OPEN = "open.html"
_OPENER = "open.js"  # the only module that the page does not import
_FIRST_ASKED = ("api/meta", "api/perfetto")
_OF_ALL = ("meta", "report", "findings", "why", "locks", "strips", "waits")
_OF_SOME = ("tile", "slice", "tasks", "flame", "heap", "source")
QUESTIONS = tuple(f"api/{name}" for name in _OF_ALL + _OF_SOME)  # the routes of Answers


def static_files() -> dict[str, bytes]:
    """The files of the page by path, all in memory."""
    found: dict[str, bytes] = {}
    pending: list[tuple[str, Traversable]] = [("", files("viewer") / "static")]
    while pending:
        prefix, directory = pending.pop()
        for entry in directory.iterdir():
            if entry.is_dir():
                pending.append((f"{prefix}{entry.name}/", entry))
            elif Path(entry.name).suffix in TYPES:
                found[prefix + entry.name] = entry.read_bytes()
    return found


def hurried(page: bytes, names: Iterable[str]) -> bytes:
    """The page, naming at once what the browser would otherwise fetch in five rounds."""
    modules = sorted(name for name in names if name.endswith(".js") and name != _OPENER)
    lines = [f'<link rel="modulepreload" href="{name}">\n' for name in modules]
    lines += [
        f'<link rel="preload" as="fetch" crossorigin href="{name}">\n' for name in _FIRST_ASKED
    ]
    return page.replace(b"</head>", "".join(lines).encode() + b"</head>")


def make_site(trace: Given, answers: "Callable[[], Answers] | None", ui: Path | None) -> Site:
    """The site of a trace; without answers only the way to the Perfetto UI.

    Threads call `answers` when the first question comes; it may take its time.
    """
    site = Site()
    files_ = static_files()
    files_[INDEX] = hurried(files_[INDEX], files_)
    for name, body in files_.items():
        site.routes[name] = _fixed(TYPES[Path(name).suffix], body)
    site.routes[""] = site.routes[INDEX if answers else OPEN]
    site.routes["api/perfetto"] = _fixed("application/json", perfetto.about(ui is not None))
    site.routes[perfetto.TRACE] = _trace(trace)
    if answers:
        site.routes |= {name: _asked(answers, name) for name in QUESTIONS}
    if ui:
        site.routes |= perfetto.ui_routes(ui)
        # The UI's policy allows it to fetch only from its own origin.
        site.routes[perfetto.UI + perfetto.TRACE] = site.routes[perfetto.TRACE]
    return site


def _asked(answers: "Callable[[], Answers]", name: str) -> Route:
    return lambda query: answers().routes[name](query)


def _fixed(type_: str, body: bytes) -> Route:
    reply = Reply(type_, body)
    return lambda _query: reply


def _trace(given: Given) -> Route:
    def answer(_query: Query) -> Reply:
        return Reply("application/octet-stream", packets(given, BEST))

    return answer
