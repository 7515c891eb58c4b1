"""Threads that differ only in a number: one per request, the workers of a pool."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import repeat
from operator import attrgetter

from tracer import schema as s
from viewer import words
from viewer.analysis.counters import counted
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.rows import longs
from viewer.analysis.lockers import Cause, Holder
from viewer.analysis.locks import LockRow
from viewer.analysis.rows import Later, Rows, in_order
from viewer.analysis.spread import Spread
from viewer.analysis.states import numbers
from viewer.analysis.threads import (
    IDLE,
    Held,
    Holders,
    ThreadRow,
    spent_at,
    spent_by,
)
from viewer.analysis.threads import Holder as GilHolder
from viewer.trace.columns import Column
from viewer.trace.model import Model
from viewer.trace.sites import own_frames, place_of
from viewer.trace.users import name_args

_LOOKED_AT = 64  # rows of a thread until one has a stack

type Names = Callable[[], list[str]]  # by thread, see `shared_names`


def stems(model: Model) -> list[tuple[str, str]]:
    """By thread what its like have in common: the name with N for its numbers, and the
    user's function in which it began, "" if no stack of it was recorded."""
    return [*zip(words.stems(model.threads.names), _entries(model), strict=True)]


def _entries(model: Model) -> list[str]:
    """By thread the user's function in which it began."""
    trace, rows, slices = model.trace, Ledger.of(model).rows_of_threads, model.states.slice
    values, strings = trace.events.arg_value, trace.events.strings
    if trace.symbol(s.ARG_STACK) < 0:
        return [""] * len(model.threads)
    stack_at = name_args(trace, trace.symbol(s.ARG_STACK))
    known = dict[int, str]()  # by stack

    def entry(thread: int) -> str:
        low, high = rows.offset[thread], rows.offset[thread + 1]
        for place in range(low, min(high, low + _LOOKED_AT)):
            at = stack_at[slices[rows.row[place]]]
            if at < 0:
                continue
            stack = values[at]
            if stack not in known:
                known[stack] = _entry(strings[stack])
            if known[stack]:
                return known[stack]
        return ""

    return [*map(entry, range(len(model.threads)))]


def _entry(stack: str) -> str:
    own = own_frames(stack.split("\n"))
    places = [found for frame in own if (found := place_of(frame)).path]
    return f"{places[-1].path} {places[-1].function}" if places else ""


def shared_names(model: Model) -> list[str]:
    """By thread the name that it shares with its like, else its own.

    Where threads with one stem began in several functions, the function is added.
    """
    likes, entries = words.stems(model.threads.names), _entries(model)
    own, owned = model.thread_names, _owned(model, likes)
    if not any(entries):
        times = Counter(owned)
        return [
            like if times[key] > 1 else name
            for key, like, name in zip(owned, likes, own, strict=True)
        ]
    groups: dict[object, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, (like, entry) in enumerate(zip(owned, entries, strict=True)):
        groups[like][entry].append(i)
    found = [*own]
    for by_entry in groups.values():
        name = likes[next(iter(by_entry.values()))[0]]
        known = [entry for entry in by_entry if entry]
        for entry, threads in by_entry.items():
            function = entry.rpartition(" ")[2]
            shared = f"{name} in {function}" if entry and len(known) > 1 else name
            if len(threads) > 1 or (not entry and len(by_entry) > 1):
                for i in threads:
                    found[i] = shared
    return found


def _owned(model: Model, names: list[str]) -> Sequence[object]:
    """By thread what tells its name from those of other processes: the name alone if there is
    one process, since a text is found sooner than a pair."""
    processes = model.thread_process
    least, most = model.trace.engine.bounds(processes)
    return names if least >= most else [*zip(processes, names, strict=True)]


def fold_locks(model: Model, rows: Rows[LockRow], names: Names) -> Rows[LockRow]:
    """The rows; threads that have their like count together where they stand at one site."""
    calling = cache(lambda: _calling(model, names()))
    return rows.changed(lambda row: _lock(row, calling()(row.process)))


def _lock(row: LockRow, called: Callable[[str], str]) -> LockRow:
    return row._replace(
        holders=Later(lambda: _folded(row.holders, called)),
        waiters=row.waiters.folded(called),
        waited_for=Later(lambda: _causes(row.waited_for, called)),
        woken_by=Later(lambda: _wakers(row.woken_by, called)),
    )


def _causes(causes: Iterable[Cause], called: Callable[[str], str]) -> tuple[Cause, ...]:
    return tuple(
        Cause(*key, sum(cause.ns for cause in alike))
        for key, alike in _by(causes, lambda one: (called(one.who), one.kind, one.site))
    )


def _wakers(
    wakers: Iterable[tuple[str, int]], called: Callable[[str], str]
) -> tuple[tuple[str, int], ...]:
    return tuple(
        (who, sum(count for _, count in alike))
        for who, alike in _by(wakers, lambda waker: called(waker[0]))
    )


def _folded(parts: Sequence[Holder], called: Callable[[str], str]) -> tuple[Holder, ...]:
    """The same, with those that share a name and site as one, the longest total first."""
    name = {who: called(who) for who in {part.who for part in parts}}
    found = dict[tuple[str, str], Holder]()
    for part in parts:
        key = name[part.who], part.site
        same = found.get(key)
        if same is None:
            found[key] = Holder(*key, part.count, part.ns, part.max_ns)
        else:
            same.count += part.count
            same.ns += part.ns
            same.max_ns = max(same.max_ns, part.max_ns)
    return tuple(sorted(found.values(), key=attrgetter("ns"), reverse=True))


def _calling(model: Model, names: list[str]) -> Callable[[int], Callable[[str], str]]:
    """By process the names that its threads share, by their own."""
    processes = model.thread_process
    least, most = model.trace.engine.bounds(processes)
    if least == most:
        of_name = dict(zip(model.thread_names, names, strict=True))
        return lambda process: (
            lambda name: of_name.get(name, name) if process == most else name
        )
    shared = dict(zip(zip(processes, model.thread_names, strict=True), names, strict=True))
    return lambda process: lambda name: shared.get((process, name), name)


def _by[T, K](rows: Iterable[T], key: Callable[[T], K]) -> list[tuple[K, list[T]]]:
    """The rows by key, those with the most first."""
    found: dict[K, list[T]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)

    def weight(group: tuple[K, list[T]]) -> int:
        return sum(row.ns if hasattr(row, "ns") else row[1] for row in group[1])  # type: ignore[index]

    return sorted(found.items(), key=weight, reverse=True)


def fold_threads(model: Model, rows: Rows[ThreadRow], names: Names) -> Rows[ThreadRow]:
    """The rows; threads that have their like are one, whose numbers are sums.

    Percentiles cannot be summed: they are 0, as is the tid. Measures: `GIL wait`, `wall_ns`.
    """
    if not rows:
        return Rows()
    alike = Alike(model, rows.numbers, names())
    members, called, of_thread = alike.members, alike.called, alike.of_thread
    spent = cache(lambda: spent_by(model, of_thread, len(called)))
    holders = cache(lambda: Holders.of(model).grouped(of_thread, len(called)))
    counters = cache(lambda: counted(model))
    calling = cache(lambda: _calling(model, names()))

    def of(measure: str, threads: list[int]) -> Iterable[int]:
        return map(rows.measure(measure).__getitem__, threads)

    def grown(counter: str, threads: list[int]) -> int | None:
        known = counters()
        uuids = (model.threads[thread].uuid for thread in threads) if known else ()
        found = [known[uuid, counter] for uuid in uuids if (uuid, counter) in known]
        return sum(found) if found else None

    def make(wanted: Iterable[int]) -> Iterator[ThreadRow]:
        longest = rows.measure("gil_max")
        for group in wanted:
            like = members(group)
            waited = max(like, key=longest.__getitem__)
            row, worst = rows.with_numbers([like[0], waited])
            held = _held(holders().held(group), calling()(row.process))
            if len(like) == 1:
                yield row._replace(held=held)
                continue
            states, holding = spent_at(spent(), group)
            count, total = sum(of("gil_waits", like)), sum(of("gil_ns", like))
            yield ThreadRow(
                row.pid,
                0,
                called[group],
                wall[group],
                states,
                wall[group] - sum(states.values()),
                sum(of(IDLE, like)),
                holding,
                Spread(count, total, 0, 0, 0, longest[waited]),
                held,
                worst.worst,
                grown(s.COUNTER_CPU, like),
                grown(s.COUNTER_RUN_DELAY, like),
                len(like),
                row.process,
            )

    def summed(measure: str) -> Column:
        values = memoryview(array("q", rows.measure(measure)))
        since, kinds = (memoryview(bytes(size * len(values))) for size in (8, 1))
        tally = model.trace.engine.tally
        return tally(since.cast("q"), values, of_thread, kinds, len(called), 1).total

    wall, contended = summed("wall_ns"), summed("contended_ns")
    order = in_order(range(len(called)), (contended, True), (wall, True))
    return Rows(order, make, {"wall_ns": wall, s.GIL_WAIT: summed(s.GIL_WAIT)})


class Alike:
    """Threads in groups that share a name, in order of their first rows."""

    def __init__(self, model: Model, rows: Sequence[int], shared: list[str]) -> None:
        engine, owned = model.trace.engine, _owned(model, shared)
        keys = dict.fromkeys(map(owned.__getitem__, rows))
        number = {key: n for n, key in enumerate(keys)}
        groups = longs(map(number.get, owned, repeat(-1)))
        self.of_thread = engine.narrow(groups)  # -1: it has no row, nor has its like
        self._ordered = engine.ranked(numbers(rows), groups, 0)
        group, nothing = engine.take(self.of_thread, self._ordered, -1), bytes(8 * len(rows))
        self._spans = engine.spans(memoryview(nothing).cast("q"), group, len(number))
        self.called = [shared[self._ordered[first]] for first in self._spans.first]

    def members(self, group: int) -> list[int]:
        """The numbers of its rows, in their order."""
        first, last = self._spans.first[group], self._spans.last[group]
        found: list[int] = self._ordered[first : last + 1].tolist()
        return found


def _held(held: Held, called: Callable[[str], str]) -> Held:
    """The same, with holders that have their like as one."""
    folded = [
        GilHolder(0 if len({h.tid for h in like}) > 1 else like[0].tid, name,
                  sum(h.ns for h in like), _sums(h.states for h in like))
        for name, like in _by(held.holders, lambda h: called(h.name))
    ]  # fmt: skip
    return held._replace(holders=tuple(folded))


def _sums(of: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in of:
        for name, ns in each.items():
            found[name] = found.get(name, 0) + ns
    return found
