"""Keys for the rows of the states table, by which the engine sums; what a row is called."""

import re
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from tracer import schema as s
from viewer.trace.columns import CONTINUES, IO, SLEEP, STATE_MASK, Column, Pairs
from viewer.trace.engine import BEST, Engine
from viewer.trace.model import Model


def marks(model: Model, mark: Callable[[int], int]) -> Column:
    """By row a small number made from its state and flags."""
    table, known = bytes(map(mark, range(256))), model.derive(_Marks, _Marks)
    if table not in known:
        known[table] = memoryview(bytes(model.states.state).translate(table))
    return known[table]


class _Marks(dict[bytes, Column]):
    """By the number of each state those of the rows: many ask for the same."""


def keys(model: Model, wanted: Callable[[int], bool], of: Column, key_of: Column) -> Column:
    """By row `key_of` its value in the column `of`, if its state is wanted, else -1."""
    chosen = marks(model, lambda state: int(wanted(state)))
    return model.trace.engine.group_keys(chosen, of, key_of, 1)


def numbers(values: Iterable[int]) -> Column:
    if isinstance(values, memoryview) and values.format == "i":
        return values
    if isinstance(values, range) and values.step == 1:  # often one for each slice
        return BEST.upto(values.start, values.stop)
    return memoryview(array("i", values))


def every(count: int) -> Column:
    """The numbers below `count`."""
    return BEST.upto(0, count)


def at_least(values: Column, least: int, mark: bytes = b"") -> Column:
    """The rows with such a value or a larger one; if there are marks, of those with one."""
    nothing = memoryview(bytes(8 * len(values))).cast("q")
    wanted = memoryview(mark or b"\1" * len(values))
    return BEST.longer(nothing, values, wanted, least)


def having(
    model: Model,
    column: Column,
    is_wanted: Callable[[str], bool],
    parts: Sequence[str] = ("",),
) -> bytes:
    """By row 1 if the text that a column names is wanted, else 0. Only those texts are asked
    that have one of the parts."""
    engine, strings = model.trace.engine, model.trace.events.strings
    texts = _texts_of(model, column)
    found, mark = [part for part in parts if part in texts.joined], bytearray(len(strings))
    for part in found:
        for number, text in [named for named in texts.named if part in named[1]]:
            if is_wanted(text):
                mark[number] = 1
    return bytes(engine.take(memoryview(mark), column, 0) if 1 in mark else len(column))


class _Texts(NamedTuple):
    """The texts that a column names, each once with its number; and all as one text."""

    column: Column
    named: list[tuple[int, str]]
    joined: str


class _TextsOf(dict[int, _Texts]):
    """By the identity of a column, which its texts keep."""


def _texts_of(model: Model, column: Column) -> _Texts:
    known, strings = model.derive(_TextsOf, _TextsOf), model.trace.events.strings
    if id(column) not in known:
        numbers = model.trace.engine.distinct(column, len(strings))
        texts = [*map(strings.__getitem__, numbers)]
        named = [*zip(numbers, texts, strict=True)]
        known[id(column)] = _Texts(column, named, "\n".join(texts))
    return known[id(column)]


# Names of waits, calls and ends, which have the form of a site without its line.
_NAMED_LIKE_SITES = (s.LOCK_WAIT_PREFIX, s.IO_PREFIX, s.FAILED_PREFIX)


class _Lines:
    """`lines` of a trace's texts."""

    def __init__(self, model: Model) -> None:
        trace = model.trace
        self.text = trace.engine.lines(trace.events.strings)


def _without_digits(text: str) -> bytes:
    return text.encode(errors="surrogatepass").translate(None, b"0123456789")


def _lines(model: Model) -> bytes:
    return model.derive(_Lines, lambda: _Lines(model)).text


def mentioned(model: Model, *parts: str) -> bool:
    """Whether a line of a stack, or another text of the trace, has one of these parts."""
    text = _lines(model)
    return any(_without_digits(part) in text for part in parts)


def may_be_called(model: Model, parts: Iterable[str]) -> bool:
    """Whether the function of a site, or of a line of a stack, may have one of these parts in
    its name."""
    any_of = "|".join(map(re.escape, parts))
    not_ours = "".join(f"(?<!\n{prefix.removesuffix(': ')})" for prefix in _NAMED_LIKE_SITES)
    found = re.search(f"{not_ours}: [^\n]*(?:{any_of})".encode(), b"\n" + _lines(model))
    return found is not None


def state_of_slice(model: Model, i: int) -> int:
    """The row of States of a slice; -1 when it is no state."""
    slices = model.states.slice
    row = bisect_left(slices, i)
    return row if row < len(slices) and slices[row] == i else -1


def numbered(engine: Engine, a: Column, b: Column) -> Pairs:
    """The pairs of each row, numbered; -1 is a value as any other."""
    least, most = engine.bounds(a)
    if least < 0:
        a = engine.take(engine.upto(1, most + 2), a, 0)
    return engine.pairs(a, b)


def groups(engine: Engine, number: Column, count: int) -> list[Column]:
    """By number its rows, in their order."""
    order = engine.ranked(every(len(number)), memoryview(array("q", number)), 0)
    nothing = memoryview(bytes(8 * len(number))).cast("q")
    spans = engine.spans(nothing, engine.take(number, order, -1), count)
    return [
        order[first : last + 1] if first >= 0 else order[:0]
        for first, last in zip(spans.first, spans.last, strict=True)
    ]


def stack_of(model: Model, row: int) -> str:
    """The stack of a state, the innermost frame first, a line each; "" if it has none."""
    return model.trace.text_of_slice(model.states.slice[row], s.ARG_STACK)


def wait_of(model: Model, row: int) -> tuple[str, str]:
    """Name and site of a thread's wait for a lock or the like, by its row."""
    trace, table = model.trace, model.states
    name = trace.text(trace.events.name[trace.slices.event[table.slice[row]]])
    return name.removeprefix(s.LOCK_WAIT_PREFIX), trace.text(table.site[row])


def call_of(model: Model, call: int) -> tuple[str, str]:
    """Name and site of a blocking call, by its number."""
    table, text = model.states, model.trace.text
    return text(table.call_name[call]).removeprefix(s.IO_PREFIX), text(table.call_site[call])


def begins_call(state: int) -> bool:
    """Whether a state is a blocking call, or the first piece of one."""
    return state & STATE_MASK in (IO, SLEEP) and not state & CONTINUES
