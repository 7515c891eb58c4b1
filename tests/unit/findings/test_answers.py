"""Answers that never come."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

SITE = "/app/rates.py:12 fetch_rate"


def asked(what="response (aiohttp)", ns=1_300 * MS, how=s.CANCELLED, later=False, timer=False):
    """A task awaits an answer until it is cancelled; another one may get its own."""
    trace = TraceBuilder(argv="rates.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    task = loop.task("fetch_rate", site="/app/rates.py:10 fetch_rate").ready(0).running(1)
    task.awaits(2, what, site=SITE)
    boss = loop.task("main", site="/app/rates.py:20 main").ready(ns - 2).running(ns - 1)
    task.ready(ns, **({"waker": "timer"} if timer else {"by": boss}))
    boss.done(ns + 1)
    task.running(ns + 1).done(ns + 2, how)
    if later:
        other = loop.task("fetch_rate", site="/app/rates.py:10 fetch_rate").ready(3)
        other.running(4).awaits(5, what, site=SITE).ready(600 * MS).running(600 * MS + 1)
        other.done(600 * MS + 2)
    return trace.ended(ns + 3)


def test_an_answer_that_never_comes(tmp_path):
    (found,) = find_in(tmp_path, asked())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `fetch_rate` in `fetch_rate` (rates.py:12) awaited `response "
        "(aiohttp)`: 1 wait, 1.30 s in total, the longest 1.30 s (at 2 ns), and no answer "
        "came: each was given up or is not over. Give the call a time-out of its own that is "
        "shorter, and look at the other end."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"how": s.DONE}, id="it comes late"),
        pytest.param({"ns": 900 * MS}, id="it is given up soon"),
        pytest.param({"what": "socket"}, id="who waits for a client"),
        pytest.param({"what": "message (redis)"}, id="who waits for a message"),
        pytest.param({"what": "command (redis)"}, id="who may wait for a job (BLPOP)"),
        pytest.param({"later": True}, id="another one came"),
    ],
)
def test_waits_that_are_all_right(tmp_path, story):
    assert kinds(tmp_path, asked(**story)) == []


@pytest.mark.parametrize("what", ["command (redis)", "query (asyncpg)"])
def test_an_answer_that_did_not_come_in_time(tmp_path, what):
    (found,) = find_in(tmp_path, asked(what=what, timer=True))
    assert found.text.startswith("Waited in vain: `fetch_rate` in `fetch_rate` (rates.py:12)")
