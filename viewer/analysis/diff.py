"""What got slower from one trace to another: coroutines, locks, calls and functions."""

import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.dump.alive import Growth, grown
from viewer.analysis.profiles.cpu import stack_places
from viewer.analysis.report import Heading, heading
from viewer.analysis.significance import (
    BOUNDS_NS,
    FEWEST,
    Sampled,
    compare,
    compare_cpu,
    verdict,
    verdict_cpu,
)
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.states import keys
from viewer.analysis.steps import Steps
from viewer.analysis.threads import thread_rows
from viewer.trace.columns import (
    AWAIT,
    CONTINUES,
    GIL_WAIT,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    READY,
    RUNNING,
    SLEEP,
    STATE_MASK,
    TASK_WAIT,
    Column,
)
from viewer.trace.model import Model
from viewer.words import stems

_SECOND_NS = 1_000_000_000
_LINE = re.compile(r":\d+(?= |$)")
# A single event may be chance: so much of something counts as new or gone.
_NEWS_NS = 20_000_000
VERDICTS = ("slower", "faster", "new", "gone", "same", "few")


class Key(NamedTuple):
    """What is compared. Lines move between versions, so a place is a file and function."""

    what: str  # "ready", "running", "await", "GIL wait", "lock wait", "call", "cpu"
    name: str
    place: str


@dataclass(frozen=True, slots=True)
class Row:
    """One key in both traces. `p` is None where nothing could be tested, as are `effect`
    (how often an event of B is longer than one of A) and the spreads of CPU samples."""

    key: Key
    verdict: str
    site: str  # the newest, with its line
    events: tuple[int, int]
    total_ns: tuple[int, int]
    spreads: tuple[Spread, Spread] | None
    effect: float | None
    p: float | None

    @property
    def mean_ns(self) -> tuple[int, int]:
        a, b = (ns // n if n else 0 for ns, n in zip(self.total_ns, self.events, strict=True))
        return a, b

    @property
    def impact_ns(self) -> int:
        """How much longer B took for this, over all of B's events."""
        if self.key.what == "cpu" or not all(self.events):
            return self.total_ns[1] - self.total_ns[0]
        a, b = self.mean_ns
        return (b - a) * self.events[1]


@dataclass(frozen=True, slots=True)
class Away:
    """How long the threads were preempted, of the time they had a CPU or wanted one."""

    away_ns: int
    wanted_ns: int

    @property
    def share(self) -> float:
        return self.away_ns / self.wanted_ns if self.wanted_ns else 0.0


class Programs(StrEnum):
    """How the two programs compare."""

    SAME = "same"
    ARGUMENTS = "other arguments"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Diff:
    """Each event that is compared, of both traces, is in exactly one row."""

    a: Heading
    b: Heading
    programs: Programs
    away: tuple[Away, Away]
    rows: tuple[Row, ...]  # by verdict, the largest impact first
    comparisons: int  # the number of rows with enough events on both sides
    growth: tuple[Growth, ...] = ()  # far more tasks that live at once

    def counts(self) -> dict[str, int]:
        """By verdict the number of rows."""
        found = Counter(row.verdict for row in self.rows)
        return {verdict: found[verdict] for verdict in VERDICTS}


class _Measure(NamedTuple):
    """The durations of a key in one trace."""

    site: str
    spread: Spread
    counts: list[int]  # by bucket of BOUNDS_NS


def diff(a: Model, b: Model) -> Diff:
    """Every key of both traces, with a verdict on B."""
    before, after = _measures(a), _measures(b)
    cpu_before, cpu_after = _sampled(a), _sampled(b)
    after = _matched(before, after)
    cpu_after = _matched(cpu_before, cpu_after)
    pairs = [(key, before.get(key), after.get(key)) for key in {*before, *after}]
    enough = {key for key, x, y in pairs if x and y and _count(x) >= FEWEST <= _count(y)}
    functions = {*cpu_before, *cpu_after}
    comparisons = len(enough) + len(functions)
    rows = [_row(key, x, y, key in enough, comparisons) for key, x, y in pairs]
    nothing = ("", Sampled(0, 0, 0))
    rows += [
        _cpu_row(key, cpu_before.get(key, nothing), cpu_after.get(key, nothing), comparisons)
        for key in functions
    ]
    rows.sort(key=lambda row: (VERDICTS.index(row.verdict), -abs(row.impact_ns), row.key))
    programs = _programs(heading(a).argv, heading(b).argv)
    away = _away(a), _away(b)
    return Diff(heading(a), heading(b), programs, away, tuple(rows), comparisons, grown(a, b))


def _programs(a: tuple[str, ...], b: tuple[str, ...]) -> Programs:
    """Scripts of one name are one program: a checkout of another version. So is code (-c)."""
    if _program(a) != _program(b):
        return Programs.DIFFERENT
    of_program = len(_program(a))
    return Programs.SAME if a[of_program:] == b[of_program:] else Programs.ARGUMENTS


def _program(argv: tuple[str, ...]) -> tuple[str, ...]:
    words = argv if len(argv) != 1 else tuple(argv[0].split(" "))
    if words[:1] == ("-c",):
        return words[:1]
    return words[:2] if words[:1] == ("-m",) else (words[0].rpartition("/")[2],)


def _away(model: Model) -> Away:
    threads = thread_rows(model)
    away, running, native = (
        sum(threads.values(state)) for state in (s.PREEMPTED, s.RUNNING, s.NATIVE)
    )
    return Away(away, away + running + native)


def _matched[T](before: dict[Key, T], after: dict[Key, T]) -> dict[Key, T]:
    """`after`, with the keys of `before` where only the file's name differs."""

    def by_function(keys: Iterable[Key]) -> dict[tuple[str, str, str], list[Key]]:
        found: dict[tuple[str, str, str], list[Key]] = defaultdict(list)
        for key in keys:
            found[key.what, key.name, key.place.partition(" ")[2]].append(key)
        return found

    gone = by_function(key for key in before if key not in after)
    new = by_function(key for key in after if key not in before)
    same = {
        found[0]: gone[function][0]
        for function, found in new.items()
        if len(found) == len(gone.get(function, ())) == 1
    }
    return {same.get(key, key): value for key, value in after.items()}


def _count(measure: _Measure) -> int:
    return measure.spread.count


_NOTHING = Spread(0, 0, 0, 0, 0, 0)


def _row(
    key: Key, a: _Measure | None, b: _Measure | None, is_enough: bool, comparisons: int
) -> Row:
    spreads = (a.spread if a else _NOTHING, b.spread if b else _NOTHING)
    site = b.site if b else a.site if a else ""
    events = (spreads[0].count, spreads[1].count)
    totals = (spreads[0].total_ns, spreads[1].total_ns)
    row = Row(key, "few", site, events, totals, spreads, None, None)
    if a and b and is_enough:
        ranks = compare(a.counts, b.counts)
        mean = (totals[0] / events[0], totals[1] / events[1])
        told = verdict(ranks, mean, comparisons)
        return replace(
            row, verdict=told, effect=ranks.effect, p=min(ranks.p_rank, ranks.p_tail)
        )
    matters = max(events) >= FEWEST or max(totals) >= _NEWS_NS
    if matters and not a:
        return replace(row, verdict="new")
    return replace(row, verdict="gone") if matters and not b else row


def _cpu_row(
    key: Key, a: tuple[str, Sampled], b: tuple[str, Sampled], comparisons: int
) -> Row:
    p = compare_cpu(a[1], b[1])
    told = verdict_cpu(a[1], b[1], p, comparisons)
    return Row(
        key, told, b[0] or a[0], (a[1].count, b[1].count), (a[1].ns, b[1].ns), None, None, p
    )  # fmt: skip


def _measures(model: Model) -> dict[Key, _Measure]:
    found: dict[Key, _Measure] = {}
    for named, start, end, of in _tables(model):
        found |= _measure(model, named, start, end, of)
    return found


type _Named = list[tuple[Key, str]]  # by number: its key and site


def _tables(model: Model) -> Iterator[tuple[_Named, Column, Column, Column]]:
    """(names of the numbers, start, end, number by row) for each kind of duration."""
    owned, slices, table = model.owners, model.trace.slices, model.states
    text, engine = model.trace.text, model.trace.engine
    groups = [model.coroutine(group) for group in range(len(owned.group_head))]
    kinds = bytearray(owned.kind)  # an await of a lock counts once, as a wait for the lock
    for row, state in enumerate(table.state):
        if state & STATE_MASK == TASK_WAIT:
            kinds[table.slice[row]] = 0
    for kind, what in ((READY, "ready"), (RUNNING, "running"), (AWAIT, "await")):
        named = [(Key(what, name, _place(site)), site) for name, site in groups]
        of = engine.group_keys(memoryview(kinds), owned.owner, owned.task_group, kind)
        yield named, slices.start_ns, Steps.of(model).own_end_ns, of

    def rows(wanted: Iterable[int], numbers: int, column: Column) -> Column:
        states = frozenset(wanted)
        every = memoryview(array("i", range(numbers)))
        return keys(
            model,
            lambda state: state & STATE_MASK in states and not state & CONTINUES,
            column,
            every,
        )

    named = [(Key("GIL wait", name, ""), "") for name in stems(model.thread_names)]
    yield named, table.start_ns, table.end_ns, rows((GIL_WAIT,), len(named), table.who)
    named = []
    for kind_, name_, site_ in zip(
        table.lock_kind, table.lock_name, table.lock_site, strict=True
    ):
        name = text(kind_) or text(name_).removeprefix(s.LOCK_WAIT_PREFIX)
        named.append((Key("lock wait", name, _place(text(site_))), text(site_)))
    waits = rows((LOCK_WAIT, IDLE_WAIT, TASK_WAIT), len(named), table.row)
    yield named, table.start_ns, table.end_ns, waits
    named = []
    for name_, site_ in zip(table.call_name, table.call_site, strict=True):
        name = text(name_).removeprefix(s.IO_PREFIX)
        named.append((Key("call", name, _place(text(site_))), text(site_)))
    calls = rows((IO, SLEEP), len(named), table.row)
    yield named, table.start_ns, table.busy_end_ns, calls


def _place(site: str) -> str:
    """`file.py function` of "dir/file.py:12 function"."""
    return _LINE.sub("", site).rpartition("/")[2]


def _measure(
    model: Model, named: _Named, start: Column, end: Column, of: Column
) -> dict[Key, _Measure]:
    """The durations of each key; numbers with the same key are one."""
    numbers: dict[Key, int] = {}
    sites: list[str] = []
    to_key = array("i")
    for key, site in named:
        number = numbers.setdefault(key, len(numbers))
        if number == len(sites):
            sites.append(site)
        to_key.append(number)
    engine, count = model.trace.engine, len(numbers)
    everything = memoryview(bytes([1]) * len(of))
    merged = engine.group_keys(everything, of, memoryview(to_key), 1)
    stats = engine.grouped_stats(start, end, merged, count)
    bounds = memoryview(array("q", BOUNDS_NS))
    counts = engine.histogram(start, end, merged, bounds, count)
    sizes = len(BOUNDS_NS) + 1
    return {
        key: _Measure(
            sites[n], spread_at(stats, n), counts[n * sizes : (n + 1) * sizes].tolist()
        )
        for key, n in numbers.items()
        if stats.count[n]
    }


def _sampled(model: Model) -> dict[Key, tuple[str, Sampled]]:
    """By function its self time; the packets of one signal are one sample."""
    events, places = model.trace.events, stack_places(model)
    signals: Counter[tuple[Key, int, int]] = Counter()
    lines: dict[Key, Counter[str]] = defaultdict(Counter)
    for time, tid, hz, stack in zip(
        events.sample_time_ns,
        events.sample_tid,
        events.sample_hz,
        events.sample_stack,
        strict=True,
    ):
        if not places[stack] or not hz:
            continue
        top = places[stack][0]
        file = top.path.rpartition("/")[2]
        key = Key("cpu", top.function.removeprefix(file.removesuffix("py")), file)
        signals[key, tid, time] += _SECOND_NS // hz
        lines[key][f"{top.path}:{top.line}" if top.path else ""] += 1
    parts: dict[Key, list[int]] = defaultdict(list)
    for (key, _, _), ns in signals.items():
        parts[key].append(ns)
    return {
        key: (
            max(lines[key].items(), key=lambda item: (item[1], item[0]))[0],
            Sampled(sum(ns), sum(n * n for n in ns), len(ns)),
        )
        for key, ns in parts.items()
    }
