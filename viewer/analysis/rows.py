"""Tables whose rows are made when somebody looks at them: of very many, few are ever shown."""

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import overload

from viewer.trace.engine import BEST

_FIRST = 16  # rows made at once; each time more
_MORE = 16


type Ordered = Sequence[int] | Sequence[str]


def in_order(numbers: Iterable[int], *columns: tuple[Ordered, bool]) -> list[int]:
    """Numbers in order of some columns, the first of which counts most; each with whether the
    largest come first. Equal ones stay as they are.

    A sort by each column compares integers or texts, in C, and is quick where all are equal;
    tuples of them would have to be made first.
    """
    order = BEST.upto(numbers.start, numbers.stop) if isinstance(numbers, range) else numbers
    for column, is_down in reversed(columns):
        if isinstance(column, memoryview) and column.format == "q":
            rows = order if isinstance(order, memoryview) else memoryview(array("i", [*order]))
            order = BEST.ranked(rows, column, is_down)
        else:
            order = sorted(order, key=column.__getitem__, reverse=is_down)
    return order.tolist() if isinstance(order, memoryview) else [*order]


class Later[T](Sequence[T]):
    """Rows that are all made when somebody looks at one."""

    def __init__(self, make: Callable[[], Sequence[T]]) -> None:
        self._rows = cache(make)

    def __len__(self) -> int:
        return len(self._rows())

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[T]: ...
    def __getitem__(self, at: int | slice) -> T | Sequence[T]:
        return self._rows()[at]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._rows())


class Rows[T](Sequence[T]):
    """Rows in their order.

    `order` has their numbers, `make` makes the rows of some numbers, and `measures` are
    columns by number: what can be asked of all rows without making one.
    """

    def __init__(
        self,
        order: Sequence[int] = (),
        make: Callable[[Sequence[int]], Iterable[T]] = lambda _: (),
        measures: Mapping[str, Sequence[int]] | None = None,
    ) -> None:
        self._order, self._make = order, make
        self._measures = measures or {}
        self._made: dict[int, T] = {}
        self._by_size: dict[tuple[str, str], list[int]] = {}  # see `largest`

    @staticmethod
    def of(rows: Sequence[T]) -> "Rows[T]":
        """Rows that are made already, without measures."""
        return Rows(range(len(rows)), lambda numbers: [rows[number] for number in numbers])

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, at: int) -> T: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[T, ...]: ...
    def __getitem__(self, at: int | slice) -> T | tuple[T, ...]:
        if isinstance(at, slice):
            return self._rows(self._order[at])
        return self._rows((self._order[at],))[0]

    def __iter__(self) -> Iterator[T]:
        return self._in_batches(self._order)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self[:] == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self[:])

    def measure(self, measure: str) -> Sequence[int]:
        """A measure by the rows' numbers."""
        return self._measures[measure] if self._order else ()

    def values(self, measure: str) -> list[int]:
        """What the rows have of a measure, in their order."""
        return [*map(self._measures[measure].__getitem__, self._order)] if self._order else []

    def total(self, measure: str) -> int:
        """The sum of what the rows have of a measure."""
        column, order = self.measure(measure), self._order
        is_all = len(column) == len(order)
        return sum(column if is_all else map(column.__getitem__, order))

    def at_least(self, measure: str, least: int) -> Iterator[T]:
        """The rows that have so much of a measure, in their order."""
        if not self._order or max(self._measures[measure]) < least:
            return iter(())
        values = zip(self._order, self.values(measure), strict=True)
        return self._in_batches([number for number, value in values if value >= least])

    def largest(self, measure: str, having: str = "") -> Iterator[T]:
        """The rows, those with the most of a measure first; equal ones in their order. With
        `having` only those that have something of that other measure."""
        if (measure, having) not in self._by_size:
            column = self._measures[measure] if self._order else ()
            among: Iterable[int] = self._order
            if having and self._order:
                among = filter(self._measures[having].__getitem__, self._order)
            self._by_size[measure, having] = in_order(among, (column, True))
        return self._in_batches(self._by_size[measure, having])

    @property
    def numbers(self) -> Sequence[int]:
        """The rows' numbers, in their order."""
        return self._order

    def with_numbers(self, numbers: Sequence[int]) -> tuple[T, ...]:
        """The rows of these numbers."""
        return self._rows(numbers)

    def only(self, is_wanted: Callable[[int], bool]) -> "Rows[T]":
        """The rows whose numbers are wanted."""
        return Rows([*filter(is_wanted, self._order)], self._rows, self._measures)

    def part(self, first: int, behind: int | None) -> "Rows[T]":
        """The rows from the first one on, up to the one behind them."""
        return Rows(self._order[first:behind], self._rows, self._measures)

    def changed(self, change: Callable[[T], T]) -> "Rows[T]":
        """Each row as `change` makes it; measures stay."""
        return Rows(
            self._order, lambda numbers: map(change, self._rows(numbers)), self._measures
        )

    def _in_batches(self, numbers: Sequence[int]) -> Iterator[T]:
        done, size = 0, _FIRST
        while done < len(numbers):
            yield from self._rows(numbers[done : done + size])
            done += size
            size *= _MORE

    def _rows(self, numbers: Sequence[int]) -> tuple[T, ...]:
        missing = [number for number in numbers if number not in self._made]
        if missing:
            self._made.update(zip(missing, self._make(missing), strict=True))
        return tuple([self._made[number] for number in numbers])
