"""Finalisers that wait within garbage collections."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

CLOSE, DEL = "/app/cursor.py:6 Cursor.close", "/app/cursor.py:7 Cursor.__del__"


def collects(asleep_ns=95 * MS, times=3, does="sleep"):
    """Each collection of 100 ms of `MainThread` waits for so long in a finaliser."""
    trace = TraceBuilder(argv="cursor.py", signals=SIGNALS)
    main, at = trace.thread("MainThread").running(0), 10 * MS
    for _ in range(times):
        trace.gc(at, at + 100 * MS, main.tid)
        if does == "sleep":
            main.sleep(at + MS, site=CLOSE)
            assert main.state
            main.state.args["stack"] = f"{CLOSE}\n{DEL}"
        else:
            main.preempted(at + MS)
        main.running(at + MS + asleep_ns)
        at += 400 * MS
    main.end(at)
    return trace.ended(at + MS)


def test_finalisers_that_sleep(tmp_path):
    found = find_in(tmp_path, collects())[0]
    assert (found.finding, found.severity_ns) == ("GC in the hot path", 285 * MS)
    assert found.text == (
        "GC in the hot path: finalisers (such as `Cursor.__del__` (cursor.py:7)) wait in 3 "
        "collections on `MainThread`, 285 ms in total, the longest collection 100 ms (at "
        "10.0 ms), 95 % of that time in `sleep` (cursor.py:6), 5 % computing. Whatever runs "
        "when a collection is due waits for them. Close such objects by hand (`with`, "
        "`close()`), and do not leave blocking work to `__del__`."
    )
    assert found.evidence.site == DEL


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 2}, id="little"),
        pytest.param({"asleep_ns": 50 * MS}, id="moments"),
        pytest.param({"does": "preempted"}, id="the kernel stopped it"),
    ],
)
def test_collections_without_waits(tmp_path, story):
    assert not any("finalisers" in one.text for one in find_in(tmp_path, collects(**story)))


def test_what_finalisers_wait_for_is_no_time_of_the_collector(tmp_path):
    """Half of the path to the end of the program are collections, but they hardly compute."""
    (found,) = find_in(tmp_path, collects(times=12))
    assert "finalisers" in found.text


def test_a_program_without_collections(tmp_path):
    assert kinds(tmp_path, collects(times=0)) == []
