"""A thread that fails on what it was just sent, while the sender waits for its answer."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

ASK, TAKES = "/app/rates.py:27 ask", "/app/rates.py:21 worker"
LOOKUP = "/app/rates.py:13 lookup"


def asks(
    *, on=1_000 * MS, late=0, fails=True, before=1 * MS, site=ASK, after=0, what="poll",
    over=False,
):  # fmt: skip
    """`main` asks twice: the first answer takes `before`, and the second never comes."""
    trace = TraceBuilder(argv="rates.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    worker = trace.thread("worker").native(0)
    worker.io(MS, "poll", site=TAKES)
    main.io(10 * MS, what, site=site)
    worker.native(10 * MS).io(10 * MS + before, "poll", site=TAKES)
    main.native(10 * MS + before)
    start = 20 * MS + before
    worker.native(start)
    main.io(start + late, what, site=site, fd=9, timed_out=over)
    if fails:
        trace.instant(
            worker.track, start + after + 1, f"{s.FAILED_PREFIX}KeyError", s.CAT_THREAD,
            site=LOOKUP,
        )  # fmt: skip
    worker.end(start + after + 2)
    main.native(start + late + on).end(start + late + on + MS)
    return trace.ended(start + late + on + 2 * MS)


def told(tmp_path, **how):
    return [one.text for one in find_in(tmp_path, asks(**how)) if "got on soon" in one.text]


def test_the_one_who_was_asked_failed(tmp_path):
    assert told(tmp_path) == [
        "Waited in vain: `MainThread` in `ask` (rates.py:27) waited 1.00 s in `poll` (at 21.0 "
        "ms), where it had always got on soon: `worker`, which went on as that wait began, "
        "failed at once (KeyError) in `lookup` (rates.py:13). Answer also where a request "
        "fails."
    ]


def test_the_first_answer_was_there_at_once(tmp_path):
    """Or as slow as any: the time-out says that none came."""
    (text,) = (
        one.text
        for one in find_in(tmp_path, asks(before=200 * MS, over=True))
        if "`worker`, which went on" in one.text
    )
    assert "in `poll` (at 220 ms), until its time ran out: `worker`, which went on" in text


@pytest.mark.parametrize(
    "how",
    [
        {"on": 499 * MS},
        {"late": 6 * MS},  # it had gone on long before
        {"after": 6 * MS},  # it did something else first
        {"fails": False},
        {"before": 200 * MS},  # a wait there may last
        {"site": "/usr/lib/python3.13/selectors.py:468 select"},  # of a library that serves
        {"what": "accept"},
    ],
)
def test_whoever_waits_for_something_else(tmp_path, how):
    assert not told(tmp_path, **how)
