"""The page as one file: its modules, and the answers and tiles they ask for, up to a size."""

import base64
import json
import re
import zlib
from collections.abc import Iterator
from heapq import nsmallest
from urllib.parse import quote_plus

from tracer.units import duration, size
from viewer.render.json.values import Json
from viewer.server.answers import Answers
from viewer.server.families import CHUNK, runs_of_families
from viewer.server.http import Query
from viewer.server.lanes import Group
from viewer.server.site import INDEX, static_files
from viewer.server.worst import place, worst
from viewer.trace.model import Model
from viewer.trace.tiles import PIXELS, encode

_MOST_TILE_BYTES = 6_000_000  # packed
_MOST_SLICES = 600  # the longest slices, which have explanations
_MOST_COROUTINES = 40
_MOST_LOCKS = 40  # as locks.js draws
_MOST_TASK_LANES = 60  # as tasks.js draws
_MOST_LIVES = 20  # tasks of a coroutine whose life can be shown
_ENTRY = "main.js"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "([^"]+)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) (\w+))", re.MULTILINE)
_EXPORTED = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)


type Drawn = tuple[str, Group, list[int]]


def render_html(model: Model) -> bytes:
    """The whole page of a trace, for a browser without a server."""
    answers = Answers(model)
    told = _answers(answers)
    tiles, note = _tiles(answers, told)
    packed = _packed(_json(told).encode())
    data = _json({"answers": packed, "tiles": tiles, "note": note})
    data = data.replace("<", "\\u003c")  # no text of the trace can end the script
    files = {name: body.decode() for name, body in static_files().items()}
    page = files[INDEX]
    page = re.sub(r'<link rel="stylesheet".*?>\n', "", page)
    styles = "\n".join(files[name] for name in ("style.css", "parts.css"))
    page = page.replace("</head>", f"<style>\n{styles}</style>\n</head>")
    page = re.sub(r"<script .*?</script>\n", "", page)
    code = bundle(files, _ENTRY)
    scripts = (
        f"<script>globalThis.tracerData = {data};</script>\n"
        f'<script type="module">\n{code}</script>\n'
    )
    return page.replace("</body>", f"{scripts}</body>").encode()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _packed(data: bytes) -> str:
    """As api.js unpacks it."""
    return base64.b64encode(zlib.compress(data, 6)).decode()


def bundle(files: dict[str, str], entry: str) -> str:
    """Modules with named imports and exports as one script, each inside a function."""
    done: dict[str, str] = {}

    def add(name: str) -> str:
        if name in done:
            return done[name]
        text, variable = files[name], f"module_{re.sub(r'\W', '_', name)}"
        heads = []
        for match in _IMPORT.finditer(text):
            other = add(_resolved(name, match[2]))
            names = match[1].replace(" as ", ": ")
            heads.append(f"const {{{names}}} = {other};\n")
        exported = ", ".join(_EXPORTED.findall(text))
        body = _EXPORT.sub("", _IMPORT.sub("", text))
        done[name] = variable
        out.append(
            f"const {variable} = (() => {{\n{''.join(heads)}{body}\n"
            f"return {{ {exported} }};\n}})();\n"
        )
        return variable

    out: list[str] = []
    add(entry)
    return "".join(out)


def _resolved(importer: str, path: str) -> str:
    parts = importer.split("/")[:-1]
    for part in path.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _answers(answers: Answers) -> dict[str, Json]:
    """By question, as api.js asks it, the server's answer for the whole recording."""
    found: dict[str, Json] = {}

    def ask(name: str, **query: str) -> Json:
        key = name + (f"?{_text(query)}" if query else "")
        found[key] = json.loads(answers.routes[f"api/{name}"](query).body)
        return found[key]

    ask("meta")
    ask("strips")
    report = ask("report")
    ask("findings")
    ask("locks")
    ask("flame")
    ask("heap")
    for pid, tid in {(t.pid, t.tid) for t in answers.model.threads}:
        ask("flame", thread=f"{pid}:{tid}")
    rows = report["tasks"] if isinstance(report, dict) else ()
    ask("tasks")
    for row in rows[:_MOST_COROUTINES] if isinstance(rows, list) else ():
        if isinstance(row, dict):
            ask("tasks", coro=str(row["coro"]), site=str(row["site"]))
            ask("flame", task=str(row["coro"]))
    ask("why")
    ask("waits")
    slices = [*map(place, worst(answers.model)), *_longest(answers)]
    for group, row_ in dict.fromkeys(slices):
        ask("slice", group=group, row=str(row_))
    return found


def _text(query: Query) -> str:
    """The query as the page's URLSearchParams writes it."""
    parts = (f"{key}={quote_plus(value, safe='*-._')}" for key, value in query.items())
    return "&".join(parts).replace("~", "%7E")


def _longest(answers: Answers) -> list[tuple[str, int]]:
    """(group, row) of the longest slices, each group with its share."""
    found: list[tuple[str, int]] = []
    names = ["threads", "loops", "tasks", "locks", "waits", "gc"]
    if len(answers.groups["processes"].titles) > 1:
        names += ["processes", "jobs"]
    for name in names:
        lanes = answers.groups[name].lanes
        starts, ends = lanes.start_ns, lanes.end_ns
        negative = [start - end for start, end in zip(starts, ends, strict=True)]
        most = nsmallest(
            _MOST_SLICES // len(names), range(len(negative)), negative.__getitem__
        )
        found += [(name, lanes.row[i]) for i in most]
    return found


def _drawn(answers: Answers, shown: list[list[int]]) -> Iterator[Drawn]:
    """The runs of lanes that the pages ask for together; `shown` are tasks of a coroutine."""
    groups = answers.groups
    for name, run in runs_of_families(answers.model):
        yield name, groups[name], run
    for name in ("loops", "threads", "gc", "gil"):
        group = groups[name]
        every = range(len(group.titles))
        yield from ((name, group, run) for run in _runs(list(every)))
    yield "gc", groups["gc"], [0]
    locks = answers.locks()
    for lock in locks[:_MOST_LOCKS] if isinstance(locks, list) else ():
        if isinstance(lock, dict) and isinstance(lock["waits"], list):
            waits = [lane for lane in reversed(lock["waits"]) if isinstance(lane, int)]
            yield from (("waits", groups["waits"], run) for run in _runs(waits))
            if lock["is_held"] and isinstance(lock["hold"], int):
                yield "locks", groups["locks"], [lock["hold"]]
    for lanes in shown:
        yield from (("tasks", groups["tasks"], run) for run in _runs(lanes[:_MOST_TASK_LANES]))
        yield from (("tasks", groups["tasks"], [lane]) for lane in lanes[:_MOST_LIVES])


def _runs(lanes: list[int]) -> list[list[int]]:
    return [lanes[i : i + CHUNK] for i in range(0, len(lanes), CHUNK)]


def _tiles(answers: Answers, told: dict[str, Json]) -> tuple[dict[str, str], str]:
    """Tiles, beginning with the whole recording, until they are exact or the room is full."""
    model = answers.model
    whole = max(model.end_ns - model.start_ns, 1)
    top = max((whole - 1).bit_length() - PIXELS.bit_length() + 1, 0)
    shown = [
        _task_lanes(answer) for key, answer in told.items() if key.split("?")[0] == "tasks"
    ]
    drawn = _drawn(answers, shown)
    pending = [(name, group, lanes, top, 0) for name, group, lanes in drawn if lanes]
    found: dict[str, str] = {}
    used, reduced = 0, -1
    for name, group, lanes, level, index in pending:  # grows during the loop: breadth first
        key = f"{name}/{','.join(map(str, lanes))}/{level}/{index}"
        if key in found:
            continue
        from_ns = model.start_ns + index * (PIXELS << level)
        tile = group.tile(model, lanes, from_ns, 1 << level, PIXELS)
        packed = zlib.compress(encode(tile, len(lanes), model.start_ns, group.label), 6)
        if used + len(packed) > _MOST_TILE_BYTES:
            reduced = max(reduced, level)
            continue
        used += len(packed)
        found[key] = base64.b64encode(packed).decode()
        if not tile.is_exact and level:
            pending += [
                (name, group, lanes, level - 1, half)
                for half in (2 * index, 2 * index + 1)
                if half * (PIXELS << (level - 1)) < whole
            ]
    return found, _note(model, reduced)


def _task_lanes(answer: Json) -> list[int]:
    rows = answer["tasks"] if isinstance(answer, dict) else []
    lanes = (
        [row["lane"] for row in rows if isinstance(row, dict)]
        if isinstance(rows, list)
        else []
    )
    return [lane for lane in lanes if isinstance(lane, int)]


def _note(model: Model, reduced: int) -> str:
    """What the shared file lacks, compared with the trace."""
    trace = model.trace
    detail = (
        f"Slices shorter than {duration(2 << reduced)} are merged."
        if reduced >= 0
        else "The timelines are complete."
    )
    return (
        f"A shared copy of {trace.name} ({size(trace.size_bytes)}). {detail} Tables "
        f"cover the whole recording, only the longest slices have explanations, and source "
        f"lines are left out. For everything: tracer view {trace.names}"
    )
