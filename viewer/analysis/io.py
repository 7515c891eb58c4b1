"""Blocking calls: which ones, from where, how long."""

from collections.abc import Iterable, Iterator
from itertools import compress
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.causes.writers import Writer, writers_of_calls
from viewer.analysis.rows import Rows, in_order
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.states import every, having, keys, marks, mentioned
from viewer.analysis.why.waits import CHILDREN
from viewer.trace.columns import CONTINUES, HOLDING, IO, SLEEP, STATE_MASK
from viewer.trace.model import Model
from viewer.trace.sites import IMPORTLIB, is_import

IMPORTS = "import machinery"
_POLL = "select.epoll.poll"  # by which loops wait for something to do: no call of the program


class IoRow(NamedTuple):
    """A callable and the place that calls it; `size_bytes` is None when unknown.

    A call that released the GIL several times counts once, with the time of all its pieces.
    """

    pid: int
    callable: str
    site: str
    calls: Spread
    size_bytes: int | None
    holding_gil_ns: int
    process: int
    children: tuple[str, ...] = ()  # the processes for whose end it waited, if any
    writers: tuple[Writer, ...] = ()  # in other processes, for whose writing it waited


def io_rows(model: Model) -> Rows[IoRow]:
    """One row per callable and site, the longest total first; all sleep is called `sleep`.

    Reading and opening files for imports is one row for each process.
    """
    table, engine, rows = model.states, model.trace.engine, len(model.states.call_name)
    imports = bytes(rows)
    if mentioned(model, *IMPORTLIB):
        imports = having(model, table.call_site, is_import)
    first: dict[int, int] = {}
    everything = every(rows)
    for row in compress(range(rows), imports):
        everything[row] = first.setdefault(table.call_process[row], row)
    calls = keys(model, _is_call, table.row, everything)
    pieces = keys(model, _is_piece, table.row, everything)
    stats = engine.grouped_stats(table.start_ns, table.busy_end_ns, calls, rows)
    has_gil = marks(model, lambda state: int(bool(state & HOLDING)))
    held = engine.tally(table.start_ns, table.end_ns, pieces, has_gil, rows, 2).total
    children, writers = Elsewhere.of(model).children_of_calls(), writers_of_calls(model)
    names, sites = _named(model, imports)
    total, pids = stats.total.tolist(), model.pids(table.call_process)

    def make(wanted: Iterable[int]) -> Iterator[IoRow]:
        for row in wanted:
            size = table.call_bytes[row]
            yield IoRow(
                model.pid(table.call_process[row]),
                names[row],
                sites[row],
                spread_at(stats, row),
                size if size >= 0 and not imports[row] else None,
                held[row * 2 + 1],
                table.call_process[row],
                children.get(row, ()),
                writers.get(row, ()),
            )

    begun = {name: name.startswith(CHILDREN) for name in {*names}}
    for_children = bytearray(map(begun.__getitem__, names))
    for row in children:
        for_children[row] = 1
    for_writers = [0] * rows
    for row, found in writers.items():
        for_writers[row] = sum(one.ns for one in found)
    measures = {
        "calls_ns": [
            0 if name == _POLL else ns for name, ns in zip(names, total, strict=True)
        ],
        **{"total_ns": total, "holding_gil_ns": held[1::2]},
        **{"children": for_children, "writers_ns": for_writers},
    }
    shown = sorted({*everything}) if first else range(rows)
    order = in_order(shown, (total, True), (names, False), (sites, False), (pids, False))
    return Rows(order, make, measures)


def _named(model: Model, imports: bytes) -> tuple[list[str], list[str]]:
    """By row of calls its callable and its site."""
    table, text = model.states, model.trace.text
    callables = {name: text(name).removeprefix(s.IO_PREFIX) for name in {*table.call_name}}
    names = [*map(callables.__getitem__, table.call_name)]
    strings = model.trace.events.strings
    sites = [*map(text if -1 in table.call_site else strings.__getitem__, table.call_site)]
    for row in compress(range(len(names)), imports):
        names[row], sites[row] = IMPORTS, ""
    return names, sites


def _is_piece(state: int) -> bool:
    return state & STATE_MASK in (IO, SLEEP)


def _is_call(state: int) -> bool:
    return _is_piece(state) and not state & CONTINUES
