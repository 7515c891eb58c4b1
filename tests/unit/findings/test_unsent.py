"""Lines that go on writing to a connection whose peer does not read."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

FEED = "/app/feed.py:14 feed"
ASYNCIO = "/usr/lib/python3.13/asyncio/streams.py"
DRAIN = (
    f"{ASYNCIO}:172 FlowControlMixin._drain_helper\n{ASYNCIO}:386 StreamWriter.drain\n{FEED}"
)
GROWS = [(n * 100, n * 500_000) for n in range(2, 9)]


def feeding(*every, drained_ms=0):
    """By transport what is unsent, as (ms, bytes); another task waits for room so long."""
    trace = TraceBuilder(argv="feed.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    task = loop.task("other", site="/app/feed.py:30 other").ready(MS).running(2 * MS)
    if drained_ms:
        lock = trace.lock("socket", FEED)
        task.awaits(300 * MS, "socket", lock=lock.id, site=FEED, stack=DRAIN)
        task.ready((300 + drained_ms) * MS, waker="io").running((301 + drained_ms) * MS)
    queues = trace.track(s.TRACK_QUEUES)
    for n, counts in enumerate(every):
        track = trace.track(f"{s.UNSENT_PREFIX}{n} {FEED}", b"", parent=queues)
        for ms, count in counts:
            trace.counter(track, ms * MS, count)
    task.done(1_900 * MS)
    thread.end(1_990 * MS)
    return trace.ended(2_000 * MS)


def test_one_goes_on(tmp_path):
    (found,) = find_in(tmp_path, feeding([*GROWS, (900, 0)]))
    assert (found.finding, found.severity_ns) == ("slow client", 800 * MS)
    assert found.text == (
        "Slow client: `feed` (feed.py:14) wrote on to a connection that had no room, and "
        "nobody waited in `drain`: for 800 ms more was written than the other side read, and "
        "up to 4.0 MB (at 800 ms) were kept in memory, from where they come late."
    )
    assert found.evidence.site == FEED


def test_the_connection_ends(tmp_path):
    (found,) = find_in(tmp_path, feeding(GROWS))
    assert found.severity_ns == 700 * MS  # as far as is known


def test_two_of_them_and_twice(tmp_path):
    again = [(ms + 900, count) for ms, count in GROWS]
    (found,) = find_in(
        tmp_path, feeding([*GROWS, (900, 0), *again], [(50, 900_000), (150, 0)])
    )
    assert found.severity_ns == 1_500 * MS
    assert "for 1.50 s (2 times) more was written" in found.text


def test_somebody_waits_for_room_for_a_moment(tmp_path):
    assert find_in(tmp_path, feeding([*GROWS, (900, 0)], drained_ms=390))


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"counts": [*GROWS[:4], (590, 0)]}, id="less than half a second"),
        pytest.param({"counts": [(ms, n // 5) for ms, n in GROWS]}, id="less than a megabyte"),
        pytest.param({"counts": [*GROWS[:2], (900, 0)]}, id="a burst"),
        pytest.param({"counts": [*GROWS, (900, 0)], "drained_ms": 410}, id="others wait"),
        pytest.param({"counts": [(200, 0), (900, 0)]}, id="nothing"),
    ],
)
def test_what_is_as_it_must_be(tmp_path, story):
    assert not find_in(tmp_path, feeding(story.pop("counts"), **story))
