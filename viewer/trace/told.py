"""What very many events tell in their arguments, in columns instead of a dict for each."""

from array import array
from collections.abc import Callable, Iterable

from viewer.trace.columns import Column
from viewer.trace.reader import Trace


class Told:
    """The arguments of some events. Where one lacks an argument, its `other` event has it: the
    other end of a slice; -1 without."""

    def __init__(self, trace: Trace, events: Iterable[int], others: Iterable[int]) -> None:
        self._trace = trace
        self.events, self._others = (
            column if isinstance(column, memoryview) else memoryview(array("i", column))
            for column in (events, others)
        )

    def numbers(self, name: str, missing: int) -> list[int]:
        """Of each the whole number of that name."""
        return self._at(self._where(self._trace.engine.find_numbers, name), missing)

    def strings(self, name: str) -> list[int]:
        """Of each the string of that name; -1 without."""
        return self._at(self._where(self._trace.engine.find_args, name), -1)

    def texts(self, name: str) -> list[str]:
        texts, found = self._trace.events.strings, self.strings(name)
        if -1 not in found:
            return [*map(texts.__getitem__, found)]
        return [*map(self._trace.text, found)]

    def _at(self, places: Column, missing: int) -> list[int]:
        """The values of arguments, `missing` where there is none."""
        values, found = self._trace.events.arg_value, places.tolist()
        if -1 not in found:
            return [*map(values.__getitem__, found)]
        return [values[at] if at >= 0 else missing for at in found]

    def _where(self, find: Callable[..., Column], name: str) -> Column:
        e, symbol = self._trace.events, self._trace.symbol(name)
        return find(self.events, self._others, e.arg_start, e.arg_name, e.arg_kind, symbol)
