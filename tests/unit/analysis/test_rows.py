"""Rows are made when somebody looks at them, and only those; the first screen needs few."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import pytest

from tests.support.stories.shapes import Shape, of_tasks, of_threads
from viewer.analysis import report
from viewer.analysis.rows import Rows, in_order
from viewer.analysis.tasks import By
from viewer.render.text.overview import overview
from viewer.render.text.tables import Style
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

_ORDER = [*range(99, -1, -1)]  # row 99 is the first


def made_of(made: list[int]) -> Rows[str]:
    def make(numbers: Iterable[int]) -> Iterator[str]:
        for number in numbers:
            made.append(number)
            yield f"row {number}"

    return Rows(_ORDER, make, {"ns": [number % 10 for number in range(100)]})


def test_what_nobody_looks_at_is_not_made() -> None:
    made: list[int] = []
    rows = made_of(made)
    assert len(rows) == 100
    assert rows.values("ns")[:3] == [9, 8, 7]
    assert not made
    assert rows[0] == "row 99"
    assert rows[-1] == "row 0"
    assert rows[1:3] == ("row 98", "row 97")
    assert made == [99, 0, 98, 97]


def test_no_row_is_made_twice() -> None:
    made: list[int] = []
    rows = made_of(made)
    assert [*rows] == [f"row {number}" for number in _ORDER]
    assert rows == tuple(rows)
    assert sorted(made) == [*range(100)]


def test_the_largest_and_those_above_a_measure() -> None:
    made: list[int] = []
    rows = made_of(made)
    assert [*islice(rows.largest("ns"), 2)] == ["row 99", "row 89"]
    assert len(made) == 16
    assert len([*rows.at_least("ns", 9)]) == 10
    assert [*rows.at_least("ns", 10)] == []
    assert {number for number in made if number % 10 < 8} == set()


def test_parts_and_changed_rows_share_what_is_made() -> None:
    made: list[int] = []
    rows = made_of(made)
    loud = rows.part(90, None).changed(str.upper)
    assert loud[0] == "ROW 9"
    assert sum(loud.values("ns")) == 45
    assert rows[90] == "row 9"
    assert made == [9]


def test_none() -> None:
    rows = Rows[str]()
    assert not rows
    assert rows == ()
    assert rows.values("ns") == []
    assert [*rows.largest("ns"), *rows.at_least("ns", 0)] == []
    assert Rows.of(["a", "b"])[:] == ("a", "b")


@pytest.mark.parametrize(
    ("shape", "name"),
    [
        pytest.param(of_threads.many_locks, "lock_rows", marks=pytest.mark.broad),
        (of_tasks.blocking_calls, "io_rows"),
    ],
)
def test_the_first_screen_makes_few_rows(
    shape: Shape, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "many.pftrace"
    file.write_bytes(shape(12_000).data())
    made, build = list[object](), getattr(report, name)

    def noted(row: object) -> object:
        made.append(row)
        return row

    monkeypatch.setattr(report, name, lambda model: build(model).changed(noted))
    told = report.build_report(build_model(read_trace(file)), By.CORO)
    overview(told, Style(100))
    assert len(build(build_model(read_trace(file)))) >= 1_000
    assert len(made) <= 300


def test_in_order():
    """The first column counts most; equal ones stay in the order given."""
    place, name = [2, 1, 2, 1, 2], ["b", "b", "a", "a", "a"]
    assert in_order(range(5), (place, False), (name, False)) == [3, 1, 2, 4, 0]
    assert in_order((4, 2, 0), (place, True), (name, True)) == [0, 4, 2]
    assert in_order((), (place, True)) == []
