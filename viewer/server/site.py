"""The whole site of a trace: the page's files, its answers, the trace, a local Perfetto UI."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from viewer.model import Model
from viewer.server import perfetto
from viewer.server.answers import Answers
from viewer.server.http import Query, Reply, Route, Site

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
INDEX = "index.html"
OPEN = "open.html"


def static_files() -> dict[str, bytes]:
    """The page's files by their path, all of them in memory."""
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


def make_site(trace: Path, model: Model | None, ui: Path | None) -> Site:
    """The page of a trace; without a model only the way into the Perfetto UI."""
    site = Site()
    for name, body in static_files().items():
        site.routes[name] = _fixed(TYPES[Path(name).suffix], body)
    site.routes[""] = site.routes[INDEX if model else OPEN]
    site.routes["api/perfetto"] = _fixed("application/json", perfetto.about(ui is not None))
    site.routes[perfetto.TRACE] = _trace(trace)
    if model:
        answers = Answers(model)
        site.routes |= answers.routes
    if ui:
        site.routes |= perfetto.ui_routes(ui)
        # The UI's own policy lets it fetch from where it came from only.
        site.routes[perfetto.UI + perfetto.TRACE] = site.routes[perfetto.TRACE]
    return site


def _fixed(type_: str, body: bytes) -> Route:
    reply = Reply(type_, body)
    return lambda _query: reply


def _trace(path: Path) -> Route:
    def answer(_query: Query) -> Reply:
        return Reply("application/octet-stream", path.read_bytes())

    return answer
