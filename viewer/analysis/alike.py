"""Threads that differ only in a number: one per request, the workers of a pool."""

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from tracer import schema as s
from viewer import words
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.lockers import Cause, Holder, Waiter
from viewer.analysis.locks import LockRow
from viewer.analysis.rows import Rows
from viewer.analysis.spread import Spread
from viewer.analysis.threads import (
    IDLE,
    Held,
    Holders,
    ThreadRow,
    counted,
    spent_at,
    spent_by,
)
from viewer.analysis.threads import Holder as GilHolder
from viewer.trace.model import Model
from viewer.trace.sites import is_library, place_of
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
    own = [frame for frame in stack.split("\n") if not is_library(frame)]
    places = [found for frame in own if (found := place_of(frame)).path]
    return f"{places[-1].path} {places[-1].function}" if places else ""


def shared_names(model: Model) -> list[str]:
    """By thread the name that it shares with its like, else its own.

    Where threads with one stem began in several functions, the function is added.
    """
    likes, entries = words.stems(model.threads.names), _entries(model)
    own, processes = model.thread_names, model.thread_process
    owned = [*zip(processes, likes, strict=True)]
    if not any(entries):
        times = Counter(owned)
        return [
            like[1] if times[like] > 1 else name for like, name in zip(owned, own, strict=True)
        ]
    groups: dict[tuple[int, str], dict[str, list[int]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for i, (like, entry) in enumerate(zip(owned, entries, strict=True)):
        groups[like][entry].append(i)
    found = [*own]
    for (_, name), by_entry in groups.items():
        known = [entry for entry in by_entry if entry]
        for entry, threads in by_entry.items():
            function = entry.rpartition(" ")[2]
            shared = f"{name} in {function}" if entry and len(known) > 1 else name
            if len(threads) > 1 or (not entry and len(by_entry) > 1):
                for i in threads:
                    found[i] = shared
    return found


def fold_locks(model: Model, rows: Rows[LockRow], names: Names) -> Rows[LockRow]:
    """The rows; threads that have their like count together where they stand at one site."""
    calling = cache(lambda: _calling(model, names()))
    return rows.changed(lambda row: _lock(row, calling()(row.process)))


def _lock(row: LockRow, called: Callable[[str], str]) -> LockRow:
    return row._replace(holders=tuple(
            Holder(who, site, sum(h.count for h in all_), sum(h.ns for h in all_),
                   max(h.max_ns for h in all_))
            for (who, site), all_ in _by(row.holders, lambda h: (called(h.who), h.site))
        ),
        waiters=tuple(
            Waiter(who, site, sum(w.count for w in all_), sum(w.ns for w in all_),
                   max(w.max_ns for w in all_))
            for (who, site), all_ in _by(row.waiters, lambda w: (called(w.who), w.site))
        ),
        waited_for=tuple(
            Cause(who, kind, site, sum(c.ns for c in all_))
            for (who, kind, site), all_ in _by(
                row.waited_for, lambda c: (called(c.who), c.kind, c.site)
            )
        ),
        woken_by=tuple(
            (who, sum(count for _, count in all_))
            for who, all_ in _by(row.woken_by, lambda waker: called(waker[0]))
        ),
    )  # fmt: skip


def _calling(model: Model, names: list[str]) -> Callable[[int], Callable[[str], str]]:
    """By process the names that its threads share, by their own."""
    owned = zip(model.thread_process, model.thread_names, strict=True)
    shared = dict(zip(owned, names, strict=True))
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
    members, called = _alike(model, rows, names) if rows else ([], [])
    group_of = array("i", [-1]) * len(model.threads)
    for group, threads in enumerate(members):
        for thread in threads:
            group_of[thread] = group
    of_thread = memoryview(group_of)
    spent = cache(lambda: spent_by(model, of_thread, len(members)))
    holders = cache(lambda: Holders.of(model).grouped(of_thread, len(members)))
    counters = cache(lambda: counted(model))
    calling = cache(lambda: _calling(model, names()))

    def of(measure: str, group: int) -> Iterable[int]:
        return map(rows.measure(measure).__getitem__, members[group])

    def grown(counter: str, group: int) -> int | None:
        known = counters()
        uuids = (model.threads[thread].uuid for thread in members[group]) if known else ()
        found = [known[uuid, counter] for uuid in uuids if (uuid, counter) in known]
        return sum(found) if found else None

    def make(wanted: Iterable[int]) -> Iterator[ThreadRow]:
        longest = rows.measure("gil_max")
        for group in wanted:
            first, *more = members[group]
            waited = max(members[group], key=longest.__getitem__)
            row, worst = rows.with_numbers([first, waited])
            held = _held(holders().held(group), calling()(row.process))
            if not more:
                yield row._replace(held=held)
                continue
            states, holding = spent_at(spent(), group)
            count, total = sum(of("gil_waits", group)), sum(of("gil_ns", group))
            yield ThreadRow(
                row.pid,
                0,
                called[group],
                wall[group],
                states,
                wall[group] - sum(states.values()),
                sum(of(IDLE, group)),
                holding,
                Spread(count, total, 0, 0, 0, longest[waited]),
                held,
                worst.worst,
                grown(s.COUNTER_CPU, group),
                grown(s.COUNTER_RUN_DELAY, group),
                len(members[group]),
                row.process,
            )

    def summed(measure: str) -> list[int]:
        if not rows:
            return []
        values = memoryview(array("q", rows.measure(measure)))
        since, kinds = (memoryview(bytes(size * len(values))) for size in (8, 1))
        tally = model.trace.engine.tally
        sums = tally(since.cast("q"), values, of_thread, kinds, len(members), 1)
        found: list[int] = sums.total.tolist()
        return found

    wall, contended = summed("wall_ns"), summed("contended_ns")
    order = sorted(range(len(members)), key=lambda n: (-contended[n], -wall[n]))
    return Rows(order, make, {"wall_ns": wall, s.GIL_WAIT: summed(s.GIL_WAIT)})


def _alike(
    model: Model, rows: Rows[ThreadRow], names: Names
) -> tuple[list[list[int]], list[str]]:
    """The numbers of the rows that are one, and the name of each of these."""
    shared, process_of = names(), model.thread_process
    if len({*process_of}) == 1:  # a text is found sooner than a pair
        of_name = defaultdict[str, list[int]](list)
        for number in rows.numbers:
            of_name[shared[number]].append(number)
        return [*of_name.values()], [*of_name]
    groups = defaultdict[tuple[int, str], list[int]](list)
    for number in rows.numbers:
        groups[process_of[number], shared[number]].append(number)
    return [*groups.values()], [name for _, name in groups]


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
