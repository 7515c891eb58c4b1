"""Which blocks outlive the call whose line made them: of real programs, exactly."""

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.recordings import record_here
from viewer.analysis.escape import EscapeRow, escape
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="it needs a GIL"
)
KEPT: list[object] = []
LAST: list[object] = [None]
ROUNDS, SIZE = 40, 5_000


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    yield
    KEPT.clear()


def of_line(
    function: Callable[[], object], directory: Path, name: str, rate: int = 1
) -> EscapeRow:
    """The line of `name` that allocates most, in a recording of `function`."""
    path = directory / "t.pftrace"
    record_here(function, path, signals=("heap", "gil"), heap_rate=rate)
    found = escape(build_model(read_trace(path)))
    assert found is not None
    lines = [row for row in found.lines if row.site.endswith(f" {name}")]
    return max(lines, key=lambda row: row.allocated_bytes)


def local() -> None:
    data = bytes(SIZE)
    assert data


def returned() -> bytes:
    return bytes(SIZE)


def replaced() -> None:
    """It frees what the call before made: the same frame, and another call."""
    LAST[0] = bytes(SIZE)


def in_turns(number: int) -> None:
    data = bytes(SIZE)
    if number % 4 == 0:
        KEPT.append(data)


def raising() -> None:
    """What it has lives on in the traceback."""
    data = bytes(SIZE)
    raise ValueError(len(data))


def generated() -> Iterator[int]:
    """It is suspended while its caller goes on: it has not returned."""
    data = bytes(SIZE)
    yield len(data)
    yield 0


def recursing(depth: int) -> None:
    data = bytes(SIZE)
    if depth:
        recursing(depth - 1)
    assert data


def with_namespace() -> None:
    """Up to 3.12 locals() uses the place that marks the frame: not known then."""
    data = bytes(SIZE)
    KEPT.append(sorted(locals()))
    assert data


def call(function: Callable[..., object], *args: object) -> None:
    for _ in range(ROUNDS):
        function(*args)


def take_turns(count: int) -> None:
    for number in range(count):
        in_turns(number)


def fail() -> None:
    for _ in range(ROUNDS):
        with contextlib.suppress(ValueError):
            raising()


@pytest.mark.parametrize(
    ("program", "name", "outlive", "blocks"),
    [
        (lambda: call(local), "local", 0, ROUNDS),
        (lambda: call(returned), "returned", ROUNDS, ROUNDS),
        (lambda: call(replaced), "replaced", ROUNDS, ROUNDS),
        (lambda: take_turns(ROUNDS), "in_turns", ROUNDS // 4, ROUNDS),
        (fail, "raising", ROUNDS, ROUNDS),
        (lambda: [list(generated()) for _ in range(ROUNDS)], "generated", 0, ROUNDS),
        (lambda: recursing(ROUNDS - 1), "recursing", 0, ROUNDS),
    ],
    ids=["local", "returned", "replaced", "in turns", "raising", "generator", "recursion"],
)
def test_who_outlives_its_call(
    tmp_path: Path, program: Callable[[], object], name: str, outlive: int, blocks: int
) -> None:
    row = of_line(program, tmp_path, name)
    assert row.unknown_blocks == 0
    # A line may also allocate for the interpreter, so the large blocks are looked at.
    assert round(row.outlived_bytes / SIZE) == outlive
    assert round(row.allocated_bytes / SIZE) == blocks


def test_another_thread_frees_after_the_call(tmp_path: Path) -> None:
    def make() -> None:
        KEPT.extend([bytes(SIZE) for _ in range(ROUNDS)])

    def run() -> None:
        make()
        thread = threading.Thread(target=KEPT.clear)
        thread.start()
        thread.join()

    row = of_line(run, tmp_path, f"{make.__qualname__}")
    assert (round(row.outlived_bytes / SIZE), row.live_bytes < SIZE) == (ROUNDS, True)


def test_another_thread_frees_within_the_call(tmp_path: Path) -> None:
    def make() -> None:
        KEPT.extend([bytes(SIZE) for _ in range(ROUNDS)])
        thread = threading.Thread(target=KEPT.clear)
        thread.start()
        thread.join()

    row = of_line(make, tmp_path, f"{make.__qualname__}")
    assert row.live_bytes < SIZE
    assert row.outlived_bytes < SIZE


def test_names_of_the_frame(tmp_path: Path) -> None:
    """locals() says the same as ever, in a call that is marked."""
    call(with_namespace)
    without = KEPT.copy()
    KEPT.clear()
    row = of_line(lambda: call(with_namespace), tmp_path, "with_namespace")
    assert KEPT == without == [["data"]] * ROUNDS
    assert row.outlived_bytes < SIZE


def test_the_line_of_a_module(tmp_path: Path) -> None:
    """Code that is no function's is known by its namespace, on its own thread."""
    (tmp_path / "made.py").write_text(
        f"for n in range({ROUNDS}):\n    data = bytes({SIZE})\nkept = bytes({SIZE})\n"
    )
    code = compile((tmp_path / "made.py").read_text(), str(tmp_path / "made.py"), "exec")
    space: dict[str, object] = {}
    row = of_line(lambda: exec(code, space), tmp_path, "<module>")
    assert os.path.basename(row.site).startswith("made.py:2 ")
    # The last one is still there when the module's code ends.
    assert round(row.outlived_bytes / SIZE) == 1
    assert round(row.allocated_bytes / SIZE) == ROUNDS


def test_a_sampled_share(tmp_path: Path) -> None:
    """One in four outlives its call, in truth; six standard errors are 5 points."""
    row = of_line(lambda: take_turns(ROUNDS * 400), tmp_path, "in_turns", 6_000)
    assert row.share is not None
    assert 0 < row.share_error * 6 < 0.05
    assert abs(row.share - 0.25) < 6 * row.share_error
