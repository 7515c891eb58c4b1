"""The questions of the page and their answers: one method each, JSON or a tile."""

import json
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property

from viewer.analysis.alike import stems
from viewer.analysis.causes.tree import Tree
from viewer.analysis.findings import Failed
from viewer.analysis.health import health
from viewer.analysis.profiles.profile import Sample
from viewer.analysis.report import SECTIONS, build_report, heading, why_not
from viewer.analysis.tasks import By
from viewer.render.json.report import to_json
from viewer.render.json.values import Json
from viewer.render.text.findings import nothing_found
from viewer.render.text.overview import missing
from viewer.server import flame
from viewer.server.details import details
from viewer.server.evidence import shown_at
from viewer.server.families import tree_json
from viewer.server.groups import GROUPS, busy_ns
from viewer.server.heap import heap_json, heap_samples
from viewer.server.http import BadQuery, Query, Reply
from viewer.server.lanes import Group, Title
from viewer.server.later import Later
from viewer.server.longest import longest_json
from viewer.server.tasks import tasks_json
from viewer.server.within import present, within
from viewer.server.worst import worst, worst_json
from viewer.trace.model import Model
from viewer.trace.tiles import PIXELS, encode

_JSON = "application/json; charset=utf-8"
_KEPT = 12  # how many reports and flame graphs of ranges are kept
_MOST_LANES = 256  # in one tile
_MOST_WAITERS = 64  # of a lock that are drawn at once
_FINEST, _COARSEST = 0, 46  # a pixel is 2 ** level ns
_TITLED = ("threads", "loops", "gil", "gc")
_STRIPS = ("loops", "gil", "gc")
_FINDINGS = "findings"  # a question of its own: it may take as long as all others
_SECTIONS = tuple(name for name in SECTIONS if name != _FINDINGS)


class Answers:
    """Answers from one model; expensive ones are kept. Threads may call the methods."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.groups = _LazyGroups(model)
        self._lock = threading.Lock()
        self._findings: Later[bytes] | None = None
        self._tree: Tree | None = None  # takes a moment, and is not always needed
        self._kept: OrderedDict[tuple[str, ...], bytes] = OrderedDict()
        self.routes: dict[str, Callable[[Query], Reply]] = {
            "api/meta": lambda _query: _json(self.meta()),
            "api/report": self.report,
            "api/findings": self.findings,
            "api/why": self.why,
            "api/waits": self.waits,
            "api/strips": lambda _query: _json(self.strips()),
            "api/tile": self.tile,
            "api/slice": self.slice,
            "api/tasks": self.tasks,
            "api/locks": lambda _query: _json(self.locks()),
            "api/flame": self.flame,
            "api/heap": self.heap,
            "api/source": self.source,
        }

    def meta(self) -> Json:
        """What the page must know before all other questions."""
        model, trace = self.model, self.model.trace
        return {
            "name": trace.name,
            "command": trace.names,
            "start_ns": model.start_ns,
            "start_unix_ns": str(heading(model).start_unix_ns),  # a double would round it
            "duration_ns": model.end_ns - model.start_ns,
            "events": len(trace.events.time_ns),
            "bytes": trace.size_bytes,
            "pids": [*trace.processes.pid],
            "samples": len(trace.events.sample_time_ns),
            "tasks": len(model.owners.task_id),
            "nouns": model.nouns._asdict(),
            "signals": [*health(model).signals],
            "drops": [
                [since - model.start_ns, at - model.start_ns]
                for _, since, at in model.remarks.drops()
            ],
            "groups": {
                name: [_title(t) for t in self.groups[name].titles] for name in _TITLED
            },
            "threads": [
                {
                    "pid": track.pid,
                    "tid": track.tid,
                    "name": model.thread_names[i],
                    "process": model.thread_process[i],
                }
                for i, track in enumerate(model.threads)
            ],
            "processes": tree_json(model),
        }

    def report(self, query: Query) -> Reply:
        """The report's JSON, without findings; for a range, cut to it.

        `missing` says what the trace does not have, `why_not` by section why it has none,
        `stems` by thread what it has in common with others.
        """
        span = self._span(query)

        def make() -> bytes:
            if span is None:
                report = build_report(self.model, By.CORO, _SECTIONS)
            else:
                cut = within(self.model, *span)
                report = present(cut, build_report(cut, By.CORO, _SECTIONS))
            reasons: Json = {name: why_not(report, name) for name in _SECTIONS}
            lacks: Json = [*missing(report)]
            kinds: Json = [[*self._stems[row.process, row.tid]] for row in report.threads]
            added = {"why_not": reasons, "missing": lacks, "stems": kinds}
            return _dump(to_json(report, _SECTIONS) | added)

        return Reply(_JSON, self._keep(("report", str(span)), make))

    @cached_property
    def _stems(self) -> dict[tuple[int, int], tuple[str, str]]:
        """By process and tid."""
        model = self.model
        tids = (track.tid for track in model.threads)
        return dict(
            zip(zip(model.thread_process, tids, strict=True), stems(model), strict=True)
        )

    def findings(self, _query: Query) -> Reply:
        """The findings, for the whole recording. Other answers do not wait for them.

        `places` says for each where the page shows its evidence.
        """
        with self._lock:
            self._findings = self._findings or Later(self._find)
        return Reply(_JSON, self._findings.get())

    def _find(self) -> bytes:
        sections, failed = (_FINDINGS,), list[Failed]()
        report = build_report(self.model, By.CORO, sections, failed)
        if failed:
            from viewer.render.text.failed import failed_text

            print(f"tracer: page: {failed_text(failed)}", file=sys.stderr)
        places: Json = [
            shown_at(self.model, self.groups, one.evidence) for one in report.findings
        ]
        return _dump(
            to_json(report, sections) | {"places": places, "none": nothing_found(report)}
        )

    def why(self, _query: Query) -> Reply:
        """The worst waits of the whole recording, as in `tracer why`."""

        def make() -> bytes:
            return _dump(worst_json(self.model, worst(self.model)))

        return Reply(_JSON, self._keep(("why",), make))

    def waits(self, query: Query) -> Reply:
        """The longest waits of a range, of all kinds."""
        span = self._span(query)

        def make() -> bytes:
            tree = self._whole_tree()
            return _dump(longest_json(tree, within(self.model, *span) if span else self.model))

        return Reply(_JSON, self._keep(("waits", str(span)), make))

    def _whole_tree(self) -> Tree:
        self._tree = self._tree or Tree(self.model)
        return self._tree

    def strips(self) -> Json:
        """By strip of the minimap the time in which any of its lanes was busy, or None."""
        return {name: busy_ns(self.model, self.groups[name]) for name in _STRIPS}

    def tile(self, query: Query) -> Reply:
        """`group`, `lanes` (numbers by comma), `level` (a pixel is 2^level ns), `index`."""
        group = self._group(query)
        level = _number(query, "level", _FINEST, _COARSEST)
        index = _number(query, "index", 0, 1 << 62)
        lanes = [_whole(text) for text in query.get("lanes", "").split(",") if text]
        if len(lanes) > _MOST_LANES:
            raise BadQuery(f"at most {_MOST_LANES} lanes at a time")
        if any(not 0 <= lane < len(group.lanes.offset) - 1 for lane in lanes):
            raise BadQuery("no such lane")
        return Reply("application/octet-stream", self.tile_bytes(group, lanes, level, index))

    def tile_bytes(self, group: Group, lanes: list[int], level: int, index: int) -> bytes:
        start = self.model.start_ns
        from_ns = min(start + index * (PIXELS << level), 1 << 61)
        tile = group.tile(self.model, lanes, from_ns, 1 << level, PIXELS)
        return encode(tile, len(lanes), start, group.label)

    def slice(self, query: Query) -> Reply:
        """Everything about one slice."""
        name = query.get("group", "")
        group = self._group(query)
        row = _number(query, "row", 0, 1 << 31)
        if row >= len(group.lane) or group.lane[row] < 0:
            raise BadQuery(f"this recording has no slice {name}:{row}")
        with self._lock:
            tree = self._whole_tree()
        return _json(details(tree, self.groups, name, row))

    def tasks(self, query: Query) -> Reply:
        """The tasks of a coroutine (`coro`, `site`), the longest ready time first.

        Without a coroutine: some of each.
        """
        span, coro, site = self._span(query), query.get("coro"), query.get("site", "")

        def make() -> bytes:
            model = self.model if span is None else within(self.model, *span)
            return _dump(tasks_json(model, self.groups["tasks"].lanes, coro, site))

        return Reply(_JSON, self._keep(("tasks", str(span), str(coro), site), make))

    def locks(self) -> Json:
        """The lanes of each contended lock, the one with the most waiting first.

        `more` is how many more waited at the same time than there are `waits`.
        """
        holds, waits = self.groups["locks"], self.groups["waits"]
        of: dict[int, list[int]] = {}
        total: dict[int, int] = {}
        for lane, title in enumerate(waits.titles):
            of.setdefault(title.of, []).append(lane)
            low, high = waits.lanes.offset[lane], waits.lanes.offset[lane + 1]
            total[title.of] = total.get(title.of, 0) + sum(
                waits.lanes.end_ns[i] - waits.lanes.start_ns[i] for i in range(low, high)
            )
        order = sorted(range(len(holds.titles)), key=lambda lock: -total.get(lock, 0))
        return [
            {
                "kind": holds.titles[lock].text,
                "site": holds.titles[lock].detail,
                "lock": self.model.states.lock_id[lock],
                "hold": lock,
                "waits": [*of.get(lock, ())][:_MOST_WAITERS],
                "more": max(len(of.get(lock, ())) - _MOST_WAITERS, 0),
                "is_held": holds.lanes.offset[lock] < holds.lanes.offset[lock + 1],
                "wait_ns": total.get(lock, 0),
            }
            for lock in order[:_MOST_LANES]
        ]

    def flame(self, query: Query) -> Reply:
        """The flame graph of `thread` ("pid:tid"), of a coroutine's tasks (`task`), or all."""
        span, thread, task = self._span(query), query.get("thread", ""), query.get("task", "")

        def make() -> bytes:
            return _dump(flame.flame(self._samples(span, thread, task)))

        return Reply(_JSON, self._keep(("flame", str(span), thread, task), make))

    def heap(self, query: Query) -> Reply:
        """The sampled allocations: those of a range, and what is live at its end."""
        span = self._span(query)

        def make() -> bytes:
            return _dump(heap_json(within(self.model, *span) if span else self.model, span))

        return Reply(_JSON, self._keep(("heap", str(span)), make))

    def source(self, query: Query) -> Reply:
        """The source lines of a function that the trace has samples of: `of` the CPU or the
        heap."""
        span, thread, task = self._span(query), query.get("thread", ""), query.get("task", "")
        if query.get("of") == "heap":
            samples = heap_samples(within(self.model, *span) if span else self.model)
        else:
            samples = self._samples(span, thread, task)
        return _json(flame.source(samples, query.get("function", ""), query.get("file", "")))

    def _samples(self, span: tuple[int, int] | None, thread: str, task: str) -> list[Sample]:
        model = self.model if span is None else within(self.model, *span)
        return flame.samples_of(model, thread, task)

    def _group(self, query: Query) -> Group:
        name = query.get("group", "")
        if name not in GROUPS:
            raise BadQuery(f"this recording has no slices called {name!r}")
        return self.groups[name]

    def _span(self, query: Query) -> tuple[int, int] | None:
        """The range on the trace's clock; None for all of it."""
        if "from" not in query:
            return None
        duration = self.model.end_ns - self.model.start_ns
        from_ns = _number(query, "from", 0, 1 << 61)
        to_ns = _number(query, "to", from_ns, 1 << 61)
        if from_ns == 0 and to_ns >= duration:
            return None
        return self.model.start_ns + from_ns, self.model.start_ns + to_ns

    def _keep(self, key: tuple[str, ...], make: Callable[[], bytes]) -> bytes:
        """The kept value of a key; one at a time is made, since each takes a whole CPU."""
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[key]


class _LazyGroups(dict[str, Group]):
    """Groups by name, each made on its first use."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self._model, self._lock = model, threading.RLock()

    def __missing__(self, name: str) -> Group:
        with self._lock:
            if name not in self:
                self[name] = GROUPS[name](self._model)
            return dict.__getitem__(self, name)


def _title(title: Title) -> Json:
    told: dict[str, Json] = {"text": title.text, "detail": title.detail, "of": title.of}
    return told | {"process": title.process}


def _json(value: Json) -> Reply:
    return Reply(_JSON, _dump(value))


def _dump(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise BadQuery(f"{text[:20]!r} is not a number")
    return int(text)


def _number(query: Query, name: str, low: int, high: int) -> int:
    value = _whole(query.get(name, ""))
    if not low <= value <= high:
        raise BadQuery(f"{name} must be from {low} to {high}")
    return value
