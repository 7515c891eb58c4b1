"""A step of a loop waits for a database that another task of that loop has locked."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

EXECUTE, COMMIT = "sqlite3.Connection.execute", "sqlite3.Connection.commit"
SAVE, ENDS, NOTIFY = "/app/db.py:9 save", "/app/db.py:12 save", "/app/db.py:4 notify"


def locked(ns=800 * MS, how="OperationalError", first=EXECUTE, goes_on=True, late_ns=MS):
    """The first task begins a transaction and sleeps; the second one waits in its step until
    the database gives up; then the first one commits."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop = trace.loop(thread)
    a, b = loop.task("save", site=SAVE), loop.task("save", site=SAVE)
    a.running(0)
    thread.io(MS, first, site=SAVE).running(3 * MS)
    loop.step(a, 0, 4 * MS)
    a.awaits(4 * MS, "sleep", site=NOTIFY)
    start, end = 6 * MS, 6 * MS + ns
    b.ready(3 * MS).running(5 * MS)
    thread.io(start, EXECUTE, site=SAVE).running(end)
    if how:
        said = {s.ARG_EXCEPTION: how, s.ARG_SITE: SAVE, s.ARG_STACK: SAVE}
        trace.instant(thread.track, end + late_ns, s.RAISED, s.CAT_THREAD, **said)
    over = end + 60 * MS
    loop.step(b, 5 * MS, over)
    b.done(over)
    a.ready(300 * MS).running(over + MS)
    if goes_on:
        thread.io(over + 2 * MS, COMMIT, site=ENDS).running(over + 4 * MS)
    loop.step(a, over + MS, over + 5 * MS)
    a.done(over + 5 * MS)
    thread.end(over + 6 * MS)
    return trace.ended(over + 7 * MS)


def told(tmp_path, **story):
    return [one for one in find_in(tmp_path, locked(**story)) if one.finding == "deadlock"]


def test_a_step_waits_for_a_transaction_of_its_own_loop(tmp_path):
    (found,) = told(tmp_path)
    assert found.text == (
        "Deadlock at 6.00 ms, for 800 ms: `save` in `save` (db.py:9) blocks its event loop in "
        "`sqlite3.Connection.execute` for what a transaction of `save` has locked, until it "
        "gave up (OperationalError). That transaction was open over `sleep` in `notify` "
        "(db.py:4), and cannot go on before the event loop does. 1 wait, 800 ms in all. "
        "Commit before awaiting anything else, and use a driver that lets the event loop go "
        "on."
    )
    assert (found.severity_ns, found.evidence.site) == (800 * MS, SAVE)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="little is lost"),
        pytest.param({"how": ""}, id="the query is slow"),
        pytest.param({"how": "ValueError"}, id="it fails for another reason"),
        pytest.param({"late_ns": 55 * MS}, id="something later fails"),
        pytest.param({"first": COMMIT}, id="the other one has committed"),
        pytest.param({"goes_on": False}, id="the other one does nothing more with it"),
    ],
)
def test_nobody_of_its_loop_has_locked_it(tmp_path, story):
    assert told(tmp_path, **story) == []
