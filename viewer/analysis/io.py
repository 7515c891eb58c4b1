"""Blocking calls: which ones, from where, how long."""

from collections.abc import Iterable, Iterator
from itertools import compress
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.causes.writers import Writer, writers_of_calls
from viewer.analysis.rows import Rows, in_order
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.states import call_of, every, having, keys, marks, mentioned
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
    """One row per callable and site, the longest total first, of as long ones the one that was
    called first; all sleep is called `sleep`.

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
    children, writers = (
        Elsewhere.of(model).child_of_row.names_of_calls(),
        writers_of_calls(model),
    )

    def make(wanted: Iterable[int]) -> Iterator[IoRow]:
        for row in wanted:
            size, (name, site) = table.call_bytes[row], call_of(model, row)
            yield IoRow(
                model.pid(table.call_process[row]),
                IMPORTS if imports[row] else name,
                "" if imports[row] else site,
                spread_at(stats, row),
                size if size >= 0 and not imports[row] else None,
                held[row * 2 + 1],
                table.call_process[row],
                children.get(row, ()),
                writers.get(row, ()),
            )

    for_children = bytearray(having(model, table.call_name, _waits_for_child, CHILDREN))
    for row in children:
        for_children[row] = 1
    for_writers = [0] * rows
    for row, found in writers.items():
        for_writers[row] = sum(one.ns for one in found)
    calls_ns = stats.total.tolist()
    for row in compress(range(rows), having(model, table.call_name, _is_poll, (_POLL,))):
        calls_ns[row] = 0
    measures = {
        **{"calls_ns": calls_ns, "holding_gil_ns": held[1::2]},
        **{"children": for_children, "writers_ns": for_writers},
    }
    shown = sorted({*everything}) if first else range(rows)
    return Rows(in_order(shown, (stats.total, True)), make, measures)


def _waits_for_child(name: str) -> bool:
    return name.removeprefix(s.IO_PREFIX).startswith(CHILDREN)


def _is_poll(name: str) -> bool:
    return name.removeprefix(s.IO_PREFIX) == _POLL


def _is_piece(state: int) -> bool:
    return state & STATE_MASK in (IO, SLEEP)


def _is_call(state: int) -> bool:
    return _is_piece(state) and not state & CONTINUES
