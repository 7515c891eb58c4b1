"""Values built by copying them again and again; and what looks alike but is not."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from viewer.analysis.findings import Facts, Finding
from viewer.analysis.findings.interpreter.memory import memory_findings

FEED = "/app/upload.py:7 Upload.feed"
MB, STEP = 1_000_000, 1_000
GROWING = [n * MB // 4 for n in range(1, 30)]  # 109 MB in 29 copies
END = 100 * STEP


def findings(tmp_path: Path, story: Callable[[Heap], object]) -> list[Finding]:
    trace = TraceBuilder(signals="gc,heap")
    trace.thread("MainThread", trace.pid)
    story(Heap(trace))
    return list(memory_findings(Facts(model_of(tmp_path, trace.ended(END)))))


def copied(
    heap: Heap,
    sizes: Sequence[int],
    *,
    start: int = 0,
    kept: int = 1,
    calls: bool = False,
    resized: bool = False,
) -> None:
    """A block of each size in turn; each is freed when `kept` more have been made. All in one
    call, or each in its own."""
    made: list[int] = []
    for n, size in enumerate(sizes):
        now = start + (n + 1) * STEP
        made.append(heap.alloc(now, size, FEED, call=n + 1 if calls else 1 + start))
        if len(made) > kept:
            heap.free(now + 1, made.pop(0), returned=calls, resized=resized)
    for block in made:
        heap.free(start + (len(sizes) + 2) * STEP, block, returned=calls)


def test_grows_within_a_call(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, lambda h: copied(h, GROWING))
    assert (found.finding, found.severity_ns) == ("built and thrown away", 0)
    assert "`Upload.feed` (upload.py:7) builds a value by copying it again" in found.text
    assert "108.8 MB were allocated in 30.0 µs for values of at most 7." in found.text
    assert found.evidence.site == FEED


def test_grows_from_call_to_call(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, lambda h: copied(h, GROWING, calls=True))
    assert "builds a value by copying" in found.text


def test_shrinks(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, lambda h: copied(h, GROWING[::-1]))
    assert "takes pieces off a value by copying it again and again" in found.text


def test_what_is_added_is_made_at_the_same_line(tmp_path: Path) -> None:
    """`body += read(65536)`: the chunk is no copy."""
    sizes = [size for grown in GROWING for size in (65_536, grown)]
    (found,) = findings(tmp_path, lambda h: copied(h, sizes, kept=2))
    assert "(100 % of the sampled ones)" in found.text


def several_small(heap: Heap) -> None:
    """Each call builds its own value; few of its copies are sampled."""
    for call in range(20):
        copied(heap, [2 * MB, 3 * MB], start=1 + call * 4 * STEP)


def test_many_calls_build_one_each(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, several_small)
    assert "builds a value by copying" in found.text


def growing_cache(heap: Heap) -> None:
    """Each is larger than the one before, but none is freed meanwhile."""
    copied(heap, GROWING, kept=len(GROWING))


@pytest.mark.parametrize(
    "story",
    [
        lambda h: copied(h, [4 * MB] * 30),
        lambda h: copied(h, [(n * 7 % 30 + 1) * MB // 4 for n in range(30)]),
        lambda h: copied(h, GROWING, resized=True),
        lambda h: copied(h, [size // 4 for size in GROWING]),
        lambda h: copied(h, [n * MB for n in range(1, 12)]),
        growing_cache,
        lambda h: copied(h, [1000 + n for n in range(80)]),
    ],
    ids=["one size", "any sizes", "in place", "little", "few", "all kept", "small"],
)
def test_no_copies(tmp_path: Path, story: Callable[[Heap], object]) -> None:
    assert findings(tmp_path, story) == []


def dipping(dips: int) -> list[int]:
    """21 blocks that grow, but for so many that are a little smaller than the one before."""
    sizes = [10 * MB]
    for n in range(1, 21):
        sizes.append(sizes[-1] + (-MB // 2 if n % 5 == 0 and n // 5 <= dips else MB))
    return sizes


EXACT = [n * 438_620 for n in range(1, 18)]  # 64 MiB less four bytes


@pytest.mark.parametrize(
    ("hit", "miss"),
    [
        ([n * MB for n in range(1, 18)], [n * MB for n in range(2, 18)]),
        ([*EXACT[:-1], EXACT[-1] + 4], EXACT),
        (dipping(2), dipping(3)),
    ],
    ids=["16 pairs", "64 MiB", "nine in ten"],
)
def test_thresholds_of_copies(tmp_path: Path, hit: list[int], miss: list[int]) -> None:
    """Each is met exactly, and missed by one."""
    (found,) = findings(tmp_path, lambda heap: copied(heap, hit))
    assert found.finding == "built and thrown away"
    assert findings(tmp_path, lambda heap: copied(heap, miss)) == []
