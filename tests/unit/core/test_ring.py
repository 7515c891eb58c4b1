"""The buffers: nothing is lost without being counted."""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.recordings import join_to_the_end, record_here
from tracer import _core

BEGIN = _core.RECORD_KINDS["THREAD_BEGIN"]  # makes one instant each: easy to count
MARK, EXIT = "started", "exited"


@pytest.fixture
def hasty_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_every_record_arrives(tmp_path: Path) -> None:
    """With room enough: as many events as records, over many chunks."""
    summary, totals = record_here(lambda: _core.emit(30_000, BEGIN, 0), tmp_path / "t.pftrace")
    assert summary.names[MARK] == 30_000
    assert totals.dropped == 0
    assert totals.late == 0


@pytest.mark.parametrize("threads", [1, 8])
@pytest.mark.usefixtures("hasty_switching")
def test_offered_is_written_plus_dropped(tmp_path: Path, threads: int) -> None:
    """A buffer too small for its threads: offered == in the trace + counted as dropped."""
    each = 200_000
    together = threading.Barrier(threads)

    def work() -> None:
        together.wait()
        for _ in range(10):
            _core.emit(each // 10, BEGIN, 0)

    def run() -> None:
        workers = [threading.Thread(target=work) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            join_to_the_end(worker)

    summary, totals = record_here(
        run, tmp_path / "t.pftrace", signals=(), buffer_bytes=256 << 10
    )
    assert totals.dropped > 0, "the buffer was to overflow"
    arrived = summary.names[MARK] + summary.names[EXIT]
    assert arrived + totals.dropped == threads * (each + 1)
    assert (
        summary.dropped <= totals.dropped
    )  # what is lost at the very end has no gap after it


@pytest.mark.stress
def test_counts_survive_their_threads(tmp_path: Path) -> None:
    """Records of threads that have ended are written, whoever reuses their buffers."""

    def run() -> None:
        for _ in range(300):
            thread = threading.Thread(target=_core.emit, args=(700, BEGIN, 0))
            thread.start()
            join_to_the_end(thread)

    summary, totals = record_here(run, tmp_path / "t.pftrace", signals=())
    assert totals.dropped == 0
    assert (summary.names[MARK], summary.names[EXIT]) == (300 * 700, 300)


@pytest.mark.stress
def test_a_thousand_recordings(tmp_path: Path) -> None:
    """Starting and stopping leaves nothing that grows: no thread, no descriptor."""
    path = tmp_path / "t.pftrace"
    record_here(lambda: None, path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(1000):
        record_here(lambda: None, path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_no_recording_no_records() -> None:
    """Outside a recording a hook finds no buffer and does nothing."""
    assert _core.emit(10, BEGIN, 0) == (0, 0)
