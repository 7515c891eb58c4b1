"""Blocking calls: which ones, from where, how long."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tracer import schema as s
from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.analysis.causes.writers import Writer, writers_of_calls
from viewer.analysis.rows import Rows
from viewer.analysis.spread import Spread, spread_at
from viewer.analysis.states import keys, marks, numbers
from viewer.analysis.why.waits import CHILDREN
from viewer.trace.columns import CONTINUES, HOLDING, IO, SLEEP, STATE_MASK
from viewer.trace.model import Model
from viewer.trace.sites import is_import

IMPORTS = "import machinery"


@dataclass(frozen=True, slots=True)
class IoRow:
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
    imports = [is_import(model.trace.text(site)) for site in table.call_site]
    first: dict[int, int] = {}
    for row, is_one in enumerate(imports):
        if is_one:
            first.setdefault(table.call_process[row], row)
    everything = numbers(
        first[table.call_process[row]] if is_one else row for row, is_one in enumerate(imports)
    )
    calls = keys(model, _is_call, table.row, everything)
    pieces = keys(model, _is_piece, table.row, everything)
    stats = engine.grouped_stats(table.start_ns, table.busy_end_ns, calls, rows)
    has_gil = marks(model, lambda state: int(bool(state & HOLDING)))
    held = engine.tally(table.start_ns, table.end_ns, pieces, has_gil, rows, 2).total
    children, writers = Elsewhere.of(model).children_of_calls(), writers_of_calls(model)
    named = [_named(model, row, is_one) for row, is_one in enumerate(imports)]
    total = stats.total.tolist()

    def make(wanted: Iterable[int]) -> Iterator[IoRow]:
        for row in wanted:
            size = table.call_bytes[row]
            yield IoRow(
                model.pid(table.call_process[row]),
                *named[row],
                spread_at(stats, row),
                size if size >= 0 and not imports[row] else None,
                held[row * 2 + 1],
                table.call_process[row],
                children.get(row, ()),
                writers.get(row, ()),
            )

    def place_in_table(row: int) -> tuple[int, tuple[str, str], int]:
        return -total[row], named[row], model.pid(table.call_process[row])

    for_children = [
        int(callable_.startswith(CHILDREN) or row in children)
        for row, (callable_, _) in enumerate(named)
    ]
    for_writers = [sum(one.ns for one in writers.get(row, ())) for row in range(rows)]
    measures = {
        **{"total_ns": total, "holding_gil_ns": held[1::2]},
        **{"children": for_children, "writers_ns": for_writers},
    }
    return Rows(sorted(sorted({*everything}), key=place_in_table), make, measures)


def _named(model: Model, row: int, is_import: bool) -> tuple[str, str]:
    """Callable and site of a row of calls."""
    if is_import:
        return IMPORTS, ""
    name = model.trace.text(model.states.call_name[row]).removeprefix(s.IO_PREFIX)
    return name, model.trace.text(model.states.call_site[row])


def _is_piece(state: int) -> bool:
    return state & STATE_MASK in (IO, SLEEP)


def _is_call(state: int) -> bool:
    return _is_piece(state) and not state & CONTINUES
