"""What changed from one moment to another, by numbers that are known."""

from pathlib import Path

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of, trace_file
from tests.support.stories.memory import memory
from tests.support.stories.moment import moment
from tests.support.stories.profiles import waits
from tests.support.stories.waits import MS
from viewer.analysis.profiles.profile import Profile
from viewer.endpoints import derive
from viewer.endpoints.derive import Order


def delta(
    folder: Path, trace: TraceBuilder, type_: str, from_ms: int, until_ms: int
) -> Profile:
    """The profile of a part of the trace."""
    start_ns = model_of(folder, trace).start_ns
    at = start_ns + from_ms * MS, start_ns + until_ms * MS
    order = Order("profile", str(trace_file(folder, trace)), type_, *at, is_delta=True)
    found = derive._made(order)
    assert isinstance(found, Profile)
    assert found.duration_ns == (until_ms - from_ms) * MS
    return found


def by_function(profile: Profile, type_: str) -> dict[str, int]:
    """The values of a type, by innermost function; without those that are 0."""
    index = [name for name, _ in profile.types].index(type_)
    found: dict[str, int] = {}
    for sample in profile.samples:
        name = sample.frames[0].function
        found[name] = found.get(name, 0) + sample.values[index]
    return {name: value for name, value in found.items() if value}


@pytest.mark.parametrize(
    ("from_ms", "until_ms", "inuse"),
    [
        (5, 12, {"json.decoder.decode": 250_000}),
        (12, 20, {"json.decoder.decode": -100_000}),
        (20, 50, {}),
        (5, 65, {"json.decoder.decode": 150_000, "cache.Cache.fill": 150_000}),
        (20, 95, {"cache.Cache.fill": 150_000}),
    ],
)
def test_heap(tmp_path: Path, from_ms: int, until_ms: int, inuse: dict[str, int]) -> None:
    """What was added to what is in use, or taken away: as Go, it may be negative."""
    found = delta(tmp_path, memory(), "heap", from_ms, until_ms)
    assert by_function(found, "inuse_space") == inuse


def test_allocs(tmp_path: Path) -> None:
    """What was allocated in between, freed or not."""
    found = delta(tmp_path, memory(), "allocs", 20, 65)
    expected = {"main.handler": 50_000, "cache.Cache.fill": 150_000}
    assert by_function(found, "alloc_space") == expected
    assert by_function(found, "alloc_objects") == dict.fromkeys(expected, 1)


@pytest.mark.parametrize(
    ("from_ms", "until_ms", "expected"),
    [
        (0, 8, {"pool.Pool.take": 5 * MS}),
        (3, 12, {"pool.Pool.take": 5 * MS}),
        (12, 21, {"pool.Pool.take": 5 * MS, "serve.serve": 1 * MS}),
        (24, 29, {}),
    ],
)
def test_block(tmp_path: Path, from_ms: int, until_ms: int, expected: dict[str, int]) -> None:
    """The parts of waits that lie in between."""
    found = delta(tmp_path, waits(), "block", from_ms, until_ms)
    assert by_function(found, "delay") == expected


def test_mutex(tmp_path: Path) -> None:
    """The same, by who had the lock."""
    assert by_function(delta(tmp_path, waits(), "mutex", 3, 12), "delay") == {
        "hog.hog": 5 * MS
    }
    assert by_function(delta(tmp_path, waits(), "mutex", 24, 29), "delay") == {}


@pytest.mark.parametrize(
    ("from_ms", "until_ms", "expected"),
    [
        (75, 85, {"serve.serve": -1, "pool.Pool.acquire": -1, "client.client": 1}),
        (85, 95, {"client.client": -1}),
        (93, 99, {}),
    ],
)
def test_goroutine(
    tmp_path: Path, from_ms: int, until_ms: int, expected: dict[str, int]
) -> None:
    """A task that ends is one less; one that goes on elsewhere is one less and one more."""
    found = delta(tmp_path, waits(), "goroutine", from_ms, until_ms)
    assert by_function(found, "goroutine") == expected


def test_threadcreate(tmp_path: Path) -> None:
    """Threads that were started in between."""
    for from_ms, until_ms, expected in ((0, 2, 1), (10, 50, 0)):
        found = delta(tmp_path, moment(), "threadcreate", from_ms, until_ms)
        assert sum(sample.values[0] for sample in found.samples) == expected
