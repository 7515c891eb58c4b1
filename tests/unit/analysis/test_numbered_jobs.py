"""Jobs get the same numbers however close their own are together, and whatever the order."""

import random
from array import array
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.engines import ENGINES
from viewer.analysis.processes.told import Found


def none_of(engine):
    """The jobs of a model without any, which only has an engine."""
    model: Any = SimpleNamespace(trace=SimpleNamespace(engine=engine))
    return Found(model)


def column(values):
    return memoryview(array("q", values))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("apart", [1, 3, 1_000])
@pytest.mark.parametrize("pools", [1, 2])
def test_numbers_of_jobs(engine, apart, pools):
    """By pool and number, in order of first sight: the same ones, others, some, none, new."""
    choose, known = random.Random(apart * pools), dict[tuple[int, int], int]()
    found = none_of(engine)
    own = [(-7 - n % pools, 5 + n * apart) for n in range(40)]
    mixed = choose.sample(own, len(own))
    reads = [[], own, own, mixed, mixed[:9], [], [*own[:3], (-7, 4)], [(-9, 5)], mixed]
    for read in reads:
        wanted = [known.setdefault(job, len(known)) for job in read]
        got = found.numbered(column([p for p, _ in read]), column([n for _, n in read]))
        assert [*got] == wanted
        assert found.size == len(known)


@pytest.mark.parametrize("engine", ENGINES)
def test_fields_of_jobs(engine):
    """What an event says last counts; a job that none tells of keeps what was known."""
    found = none_of(engine)
    found.numbered(column([1] * 3), column([0, 1, 2]))
    found.put("sent_ns", range(3), memoryview(array("i", [0, 1, 2])), column([10, 11, 12]))
    jobs = memoryview(array("i", [2, 0, 2]))
    places = engine.spans(column([0] * 3), jobs, 3).last
    found.put("sent_ns", jobs, places, column([20, 21, 22]))
    assert found.column("sent_ns").tolist() == [21, 11, 22]
    found.put("end_ns", jobs, places, column([30, 31, 32]))
    assert found.column("end_ns").tolist() == [31, -1, 32]
