"""Who keeps the objects of a line: the ways have the program's names, and only those."""

import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tracer
from tests.conftest import Recorder
from tests.support.recordings import record_here
from tracer import _core

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="it needs a GIL"
)
HERE = __name__
SIZE = 50_000
CACHE: dict[str, list["Order"]] = {}
LOG: list[object] = []
LAST: dict[object, object] = {}


class Order:
    def __init__(self) -> None:
        self.payload = bytes(SIZE)


class Slotted:
    __slots__ = ("data", "myself")

    def __init__(self) -> None:
        self.data, self.myself = bytes(SIZE), self


class Strict(dict[str, object]):
    """It must not be asked anything."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    __hash__ = None

    def __repr__(self) -> str:
        raise AssertionError("shown")

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"asked for {name}")


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    for kept in (CACHE, LOG, LAST):
        kept.clear()


def ways(make: Callable[[], object], directory: Path, site: str = "") -> list[str]:
    """What is said of the objects of `make`, or of `site`, after it has run. Some of its small
    objects may be sampled, too."""
    said: list[str] = []

    def run() -> None:
        held = make()
        said.extend(tracer.retained(site or f" {make.__qualname__}".strip()))
        del held

    record_here(run, directory / "t.pftrace", signals=("heap", "gil"), heap_rate=1000)
    return said


def in_cache() -> None:
    for user in ("ann", "bob", "eve"):
        CACHE[f"user-{user}"] = [Order()]


def test_a_cache(tmp_path: Path) -> None:
    """The three ways are alike."""
    head, *found = ways(in_cache, tmp_path, "Order.__init__")
    assert re.match(r"\d+ live sampled objects of 'Order.__init__', 15\d\.", head)
    (way,) = (line for line in found if "Order.payload" in line)
    assert way.startswith(f"{HERE}.CACHE['user-")
    assert way.endswith("'] -> list[0] -> Order.payload -> bytes, and 2 more like it")


def test_a_line(tmp_path: Path) -> None:
    """The end of a path, and the line."""
    line = Order.__init__.__code__.co_firstlineno + 1
    found = ways(in_cache, tmp_path, f"memory/test_retained.py:{line}")
    assert "Order.payload -> bytes" in "\n".join(found)
    (none,) = ways(in_cache, tmp_path, f"retained.py:{line}")
    assert none == f"no live sampled object was allocated at 'retained.py:{line}'"


def itself() -> None:
    LOG.append((1, Slotted()))


def test_slots(tmp_path: Path) -> None:
    found = "\n".join(ways(itself, tmp_path, "Slotted.__init__"))
    assert f"{HERE}.LOG[0] -> tuple[1] -> Slotted.data -> bytes" in found


def strict() -> None:
    LOG.append(Strict(key=bytes(SIZE)))


def test_nothing_of_the_program_runs(tmp_path: Path) -> None:
    assert f"{HERE}.LOG[0] -> Strict['key'] -> bytes" in ways(strict, tmp_path)


def local() -> bytes:
    return bytes(SIZE)


def test_a_variable_of_a_call(tmp_path: Path) -> None:
    way = "in ways.<locals>.run (test_retained.py, MainThread): held (bytes)"
    assert way in ways(local, tmp_path)


def test_a_suspended_generator(tmp_path: Path) -> None:
    def wait() -> Iterator[None]:
        data = bytes(SIZE)
        yield
        assert data

    def make() -> None:
        waiting = wait()
        next(waiting)
        LOG.append(waiting)

    said = "\n".join(ways(make, tmp_path, wait.__qualname__))
    assert f"{HERE}.LOG[0] -> generator {wait.__qualname__}.data -> bytes" in said


def test_another_threads_variable(tmp_path: Path) -> None:
    ready, done = threading.Event(), threading.Event()

    def work() -> None:
        data = bytes(SIZE)
        ready.set()
        done.wait()
        assert data

    def make() -> threading.Thread:
        thread = threading.Thread(target=work, name="worker")
        thread.start()
        ready.wait()
        return thread

    said: list[str] = []

    def run() -> None:
        thread = make()
        said.extend(tracer.retained(work.__qualname__))
        done.set()
        thread.join()

    record_here(run, tmp_path / "t.pftrace", signals=("heap", "gil"), heap_rate=1000)
    assert f"in {work.__qualname__} (test_retained.py, worker): data (bytes)" in said


def test_heap_is_not_recorded(tmp_path: Path) -> None:
    with pytest.raises(tracer.TracerError, match="allocations are not recorded"):
        tracer.retained("main")
    with pytest.raises(tracer.TracerError, match="allocations are not recorded"):
        record_here(lambda: tracer.retained("main"), tmp_path / "t.pftrace", signals=("gc",))


def test_a_search_has_an_end(tmp_path: Path) -> None:
    """No time at all: it says so."""
    said: list[str] = []

    def run() -> None:
        LOG.append([[[bytes(SIZE)]]])
        said.extend(tracer.retained("run", seconds=0))
        said.extend(tracer.retained(run.__qualname__, seconds=0))

    record_here(run, tmp_path / "t.pftrace", signals=("heap",), heap_rate=1000)
    assert said[0] == "no live sampled object was allocated at 'run'"
    assert said[-1] == "none was found: the search ended after 0 s"


PROGRAM = """\
import gc
gc.disable()
KEPT = []

class Node:
    def __init__(self):
        self.itself = self

class Link:
    def __init__(self, then):
        self.then = then

def fill():
    KEPT.extend([bytes(50_000) for _ in range(9)])

def chain():
    global HEAD
    HEAD = bytes(500_000)  # sampled for certain: e to the power of -50
    for _ in range(3000): HEAD = Link(HEAD)

def circle():
    for _ in range(3000): KEPT.append(Node())

def garbage():
    for _ in range(3000): Node()
"""


@pytest.mark.parametrize(
    ("function", "rate", "way"),
    [
        ("fill", 1000, "__main__.KEPT[…] -> bytes, and 8 more like it"),
        pytest.param(
            "chain",
            10_000,
            "__main__.HEAD.then -> Link.then (× 2,999) -> bytes",
            marks=pytest.mark.broad,
        ),
        ("circle", 1000, "__main__.KEPT[…] -> Node (in a circle: Node.itself -> Node)"),
        (
            "garbage",
            1000,
            "only they themselves: Node.itself -> Node; the garbage collector will free them",
        ),
    ],
)
def test_at_the_end_of_a_program(tmp_path: Path, function: str, rate: int, way: str) -> None:
    (tmp_path / "prog.py").write_text(f"{PROGRAM}\n{function}()\n")
    words = [sys.executable, "-m", "tracer", "run", "--heap", f"--heap-rate={rate}"]
    done = subprocess.run(
        [*words, "--retained", function, "prog.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    head, *ways = done.stderr.splitlines()
    assert "live sampled object" in head
    told = [re.sub(r"KEPT\[\d+\]", "KEPT[…]", line) for line in ways]
    assert any(line.startswith(f"tracer: {way}") for line in told), done.stderr


DEAD = """\
import asyncio, gc, tracer

async def main():
    for _ in range(3):
        await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(20)))

asyncio.run(main())
gc.disable()
garbage = [bytes(100_000) for _ in range(50)]  # nothing leads there: all objects are looked at
garbage.append(garbage)
del garbage
for _ in range(3):
    print("live sampled objects" in tracer.retained(f"{__file__.rpartition('/')[2]}:9")[0])
gc.collect()
asyncio.run(main())
"""


@pytest.mark.broad
def test_what_asyncio_keeps_for_later_stays_dead(record: Recorder) -> None:
    """CPython 3.12 shows the collector its dead future iterators. One that somebody refers to
    for a moment gets into that list twice, and the next collection never ends."""
    record(DEAD, options=("--heap", "--heap-rate", "1000", "--no-cpu"))
    assert record.stdout == "True\n" * 3


WORK_NS = 1000  # that each unit of work takes, by the clock of the tests
SLICE_NS = 2_000_000


class Proxy:
    """As those of some frameworks: it gives another class as its own, and that fails."""

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        raise RuntimeError("asked for its class")

    def __init__(self) -> None:
        self.payload = bytes(SIZE)


@pytest.mark.broad
def test_slices_are_short(tmp_path: Path) -> None:
    """By a clock on which only the search's work takes time: the namespaces of the modules,
    the variables of many calls, what they lead to, and how a long way is told."""
    said: list[str] = []
    longest: list[int] = []

    def deep(left: int) -> None:
        mine = [left]
        if left:
            deep(left - 1)
        else:
            _core.measure_slices(WORK_NS)
            said.extend(tracer.retained(hold.__qualname__, seconds=3600))
            longest.append(_core.measure_slices(0))
        del mine

    def hold() -> bytes:
        return bytes(SIZE)

    def run() -> None:
        chain: list[object] = [hold()]
        for _ in range(5000):
            chain = [chain]
        LOG.extend((chain, [[n] for n in range(20_000)]))
        del chain
        deep(700)

    record_here(run, tmp_path / "t.pftrace", signals=("heap",), heap_rate=1000)
    assert f"{HERE}.LOG[0] -> list[0] (× 5,001) -> bytes" in said[1]
    assert SLICE_NS / 2 < longest[0] <= SLICE_NS


@pytest.mark.broad
def test_an_object_is_not_asked_for_its_class(tmp_path: Path) -> None:
    def make() -> None:
        LOG.append(Proxy())

    assert f"{HERE}.LOG[0] -> Proxy.payload -> bytes" in ways(make, tmp_path, "Proxy.__init__")
