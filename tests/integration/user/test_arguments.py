"""Names, arguments and values of a program's own events; functions they decorate."""

import asyncio
import inspect
from collections.abc import AsyncGenerator, Generator

import pytest

import tracer
from tests.support.recordings import names
from tracer import schema as s


def test_decorators(recorded) -> None:
    @tracer.region("function", kind=1)
    def add(a: int, b: int = 2) -> int:
        """Adds."""
        return a + b

    @tracer.region("coroutine")
    async def wait() -> int:
        await asyncio.sleep(0)
        return 5

    @tracer.task("generator")
    def count() -> Generator[int, int, str]:
        sent = yield 1
        yield sent
        return "end"

    assert (add.__name__, add.__doc__) == ("add", "Adds.")
    assert inspect.iscoroutinefunction(wait)

    def work() -> None:
        assert (add(1), add(1, b=1)) == (3, 2)
        assert asyncio.run(wait()) == 5
        generator = count()
        assert (next(generator), generator.send(7)) == (1, 7)
        with pytest.raises(StopIteration, match="end"):
            next(generator)

    user = recorded(work).user
    assert names(user.regions) == ["function", "function", "coroutine"]
    assert [said.args for said in user.regions] == [{"kind": 1}, {"kind": 1}, {}]
    assert [each.name for each in user.operations.values()] == ["generator"]
    with pytest.raises(TypeError, match="async generator"):

        @tracer.region("refused")
        async def _refused() -> AsyncGenerator[int]:
            yield 1


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


def test_arguments(recorded) -> None:
    """Plain values stay as they are, others become str(); what does not fit is counted."""

    def work() -> None:
        tracer.log(
            "values", text="é\ud800", yes=True, big=1 << 70, none=None, bad=Unprintable()
        )
        tracer.log("many", **{f"n{n}": n for n in range(20)})
        tracer.log("long" * 1000, text="x" * 10_000)
        tracer.log("", **{"": 1})

    values, many, long, empty = recorded(work).user.logs
    assert values.args == {
        "text": "é\\ud800",
        "yes": 1,
        "big": str(1 << 70),
        "none": "None",
        "bad": "<Unprintable>",
    }
    assert many.args == {**{f"n{n}": n for n in range(16)}, s.ARG_OMITTED: 4}
    assert (len(long.name), len(str(long.args["text"]))) == (500, 500)
    assert (empty.name, empty.args) == ("(empty)", {s.ARG_OMITTED: 1})


def test_counters(recorded) -> None:
    class Half:
        def __float__(self) -> float:
            return 0.5

    def work() -> None:
        for value in (1, -2, 1.5, True, Half(), 1 << 64):
            tracer.counter("load", value)

    found = recorded(work).user.counters["load"]
    assert found == [1, 2**64 - 2, 1.5, 1, 0.5, float(1 << 64)]


def test_wrong_arguments() -> None:
    """Errors are the same with and without a recording."""
    for call in (
        lambda: tracer.region(5),  # type: ignore[arg-type]
        lambda: tracer.task(b"x"),  # type: ignore[arg-type]
        lambda: tracer.region(),  # type: ignore[call-arg]
        lambda: tracer.region("a", "b"),  # type: ignore[call-arg]
        lambda: tracer.log(None),  # type: ignore[arg-type]
        lambda: tracer.counter("x", "1"),  # type: ignore[arg-type]
        lambda: tracer.region("x")(5),  # type: ignore[type-var]
    ):
        with pytest.raises(TypeError):
            call()


def test_more_names_than_are_interned(recorded) -> None:
    """Of names made at run time the first 4096 are kept; later ones are written each time."""

    def work() -> None:
        for n in range(5000):
            with tracer.region(f"name {n}"):
                pass

    assert names(recorded(work).user.regions) == [f"name {n}" for n in range(5000)]
