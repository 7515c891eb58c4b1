"""What very many events tell in their arguments, in columns instead of a dict for each."""

from array import array
from collections.abc import Callable, Iterable

from viewer.trace.columns import Column
from viewer.trace.reader import Trace

UNKNOWN = -(1 << 63)  # a number


def known(number: int) -> int | None:
    return None if number == UNKNOWN else number


class Told:
    """The arguments of some events. Where one lacks an argument, its `other` event has it: the
    other end of a slice; -1 without. Of the event -1 nothing is told."""

    def __init__(
        self, trace: Trace, events: Iterable[int], others: Iterable[int] | None = None
    ) -> None:
        self._trace = trace
        self.events = _column(events)
        nowhere = memoryview(array("i", [-1]) * len(self.events))
        self._others = nowhere if others is None else _column(others)

    def numbers(self, name: str, missing: int) -> Column:
        """Of each the whole number of that name."""
        places = self._where(self._trace.engine.find_numbers, name)
        return self._trace.engine.take(self._trace.events.arg_value, places, missing)

    def whole(self, name: str) -> list[int | None]:
        """The same, None without."""
        return [*map(known, self.numbers(name, UNKNOWN))]

    def strings(self, name: str) -> Column:
        """Of each the string of that name; -1 without."""
        places = self._where(self._trace.engine.find_args, name)
        found = self._trace.engine.take(self._trace.events.arg_value, places, -1)
        return self._trace.engine.narrow(found)

    def texts(self, name: str) -> list[str]:
        texts, found = self._trace.events.strings, self.strings(name).tolist()
        if -1 not in found:
            return [*map(texts.__getitem__, found)]
        return [*map(self._trace.text, found)]

    def _where(self, find: Callable[..., Column], name: str) -> Column:
        e, symbol = self._trace.events, self._trace.symbol(name)
        return find(self.events, self._others, e.arg_start, e.arg_name, e.arg_kind, symbol)


def _column(numbers: Iterable[int]) -> Column:
    return numbers if isinstance(numbers, memoryview) else memoryview(array("i", numbers))
