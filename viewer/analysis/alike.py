"""Threads that differ only in a number: one per request, the workers of a pool."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.locks import Cause, Holder, LockRow, Waiter
from viewer.analysis.rows import Rows
from viewer.analysis.spread import Spread
from viewer.analysis.threads import Held, ThreadRow
from viewer.analysis.threads import Holder as GilHolder
from viewer.trace.model import Model
from viewer.trace.sites import is_library, place_of
from viewer.trace.users import name_args
from viewer.words import stem

_LOOKED_AT = 64  # rows of a thread until one has a stack

# By process and name of a thread, the name that it shares with its like.
type Names = dict[tuple[int, str], str]


def stems(model: Model) -> list[tuple[str, str]]:
    """By thread what its like have in common: the name with N for its numbers, and the
    user's function in which it began, "" if no stack of it was recorded."""
    entries = _entries(model)
    return [
        (stem(track.thread_name), entry)
        for track, entry in zip(model.threads, entries, strict=True)
    ]


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


def shared_names(model: Model) -> Names:
    """The names of threads that have their like.

    Where threads with one stem began in several functions, the function is added.
    """
    groups: dict[tuple[int, str], dict[str, list[int]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for i, (name, entry) in enumerate(stems(model)):
        groups[model.thread_process[i], name][entry].append(i)
    found: Names = {}
    for (process, name), by_entry in groups.items():
        known = [entry for entry in by_entry if entry]
        for entry, threads in by_entry.items():
            function = entry.rpartition(" ")[2]
            shared = f"{name} in {function}" if entry and len(known) > 1 else name
            if len(threads) > 1 or (not entry and len(by_entry) > 1):
                found |= {(process, model.thread_names[i]): shared for i in threads}
    return found


def fold_locks(rows: Rows[LockRow], names: Callable[[], Names]) -> Rows[LockRow]:
    """The rows; threads that have their like count together where they stand at one site."""
    return rows.changed(lambda row: _lock(row, _calling(names(), row.process)))


def _lock(row: LockRow, called: Callable[[str], str]) -> LockRow:
    return replace(
        row,
        holders=tuple(
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


def _calling(names: Names, process: int) -> Callable[[str], str]:
    return lambda name: names.get((process, name), name)


def _by[T, K](rows: Iterable[T], key: Callable[[T], K]) -> list[tuple[K, list[T]]]:
    """The rows by key, those with the most first."""
    found: dict[K, list[T]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)

    def weight(group: tuple[K, list[T]]) -> int:
        return sum(row[1] if isinstance(row, tuple) else row.ns for row in group[1])  # type: ignore[attr-defined]

    return sorted(found.items(), key=weight, reverse=True)


def fold_threads(
    model: Model, rows: Rows[ThreadRow], names: Callable[[], Names]
) -> Rows[ThreadRow]:
    """The rows; threads that have their like are one, whose numbers are sums.

    Percentiles cannot be summed: they are 0, as is the tid. Measures: `GIL wait`, `wall_ns`.
    """
    groups: dict[tuple[int, str], list[int]] = defaultdict(list)  # numbers of rows
    shared = names() if rows else {}
    for number in rows.numbers:
        key = model.thread_process[number], model.thread_names[number]
        groups[key[0], shared.get(key, key[1])].append(number)
    members = [*groups.values()]
    called = [name for _, name in groups]

    def summed(measure: str) -> list[int]:
        column = rows.measure(measure)
        return [sum([column[number] for number in group]) for group in members]

    def make(wanted: Sequence[int]) -> Iterator[ThreadRow]:
        for group in wanted:
            like = [*rows.with_numbers(members[group])]
            yield (
                _folded(called[group], like, shared)
                if len(like) > 1
                else replace(
                    like[0], held=_held([like[0].held], _calling(shared, like[0].process))
                )
            )

    wall, contended = summed("wall_ns"), summed("contended_ns")
    order = sorted(range(len(members)), key=lambda n: (-contended[n], -wall[n]))
    return Rows(order, make, {"wall_ns": wall, s.GIL_WAIT: summed(s.GIL_WAIT)})


def _folded(name: str, rows: list[ThreadRow], names: Names) -> ThreadRow:
    waits = [row.gil_waits for row in rows]
    cpu = [row.cpu_ns for row in rows if row.cpu_ns is not None]
    delay = [row.run_delay_ns for row in rows if row.run_delay_ns is not None]
    return ThreadRow(
        rows[0].pid,
        0,
        name,
        sum(row.wall_ns for row in rows),
        _sums(row.states for row in rows),
        sum(row.unknown_ns for row in rows),
        sum(row.idle_ns for row in rows),
        _sums(row.holding for row in rows),
        Spread(sum(w.count for w in waits), sum(w.total_ns for w in waits), 0, 0, 0,
               max(w.max_ns for w in waits)),
        _held([row.held for row in rows], _calling(names, rows[0].process)),
        max((row.worst for row in rows if row.worst), key=lambda wait: wait.ns, default=None),
        sum(cpu) if cpu else None,
        sum(delay) if delay else None,
        len(rows),
        rows[0].process,
    )  # fmt: skip


def _sums(of: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for each in of:
        for name, ns in each.items():
            found[name] = found.get(name, 0) + ns
    return found


def _held(all_: list[Held], called: Callable[[str], str]) -> Held:
    holders = [holder for held in all_ for holder in held.holders]
    folded = [
        GilHolder(0 if len({h.tid for h in like}) > 1 else like[0].tid, name,
                  sum(h.ns for h in like), _sums(h.states for h in like))
        for name, like in _by(holders, lambda h: called(h.name))
    ]  # fmt: skip
    return Held(
        tuple(folded),
        sum(held.free_ns for held in all_),
        sum(held.unknown_ns for held in all_),
        sum(held.others_ns for held in all_),
    )
