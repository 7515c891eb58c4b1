"""Locks of a database server that no open transaction explains."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

PSYCOPG = "/venv/lib/python3.13/site-packages/psycopg/connection.py"
LOCK, WORK, UNLOCK = "/app/db.py:9 migrate", "/app/db.py:5 load", "/app/db.py:12 migrate"


def query(site, function="Connection.execute"):
    stack = f"{PSYCOPG}:495 Connection.wait\n{PSYCOPG}:9 {function}\n{site}"
    return {"site": site, "stack": stack}


def session(sleeps_ns=400 * MS, waiters=3, late_ns=2 * MS, others=0, ends="Connection.commit"):
    """`first` commits, sleeps, and asks again; then all go on who waited. `others` wait on."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    first = trace.thread("first")
    first.io(0, "poll", **query(LOCK)).native(MS)
    first.io(2 * MS, "poll", **query("/app/db.py:10 migrate", ends)).native(3 * MS)
    first.sleep(4 * MS, site=WORK)
    again = 4 * MS + sleeps_ns
    first.io(again, "poll", **query(UNLOCK)).native(again + MS)
    done = again + late_ns
    end = done + 400 * MS
    first.end(end)
    for n in range(waiters + others):
        thread = trace.thread(f"worker-{n}").native(0)
        until = done if n < waiters else done + 300 * MS
        thread.io(10 * MS, "poll", **query(LOCK)).native(until)
        thread.io(until + MS, "poll", **query(UNLOCK, "Connection.commit"))
        thread.native(until + 2 * MS).end(end)
    return trace.ended(end + MS)


def test_a_lock_of_a_session(tmp_path):
    (found,) = find_in(tmp_path, session())
    assert found.finding == "database locked"
    assert found.text == (
        "Database locked: 3 threads `worker-N` waited in `query (psycopg)` in `migrate` "
        "(db.py:9, via `Connection.execute`): 3 waits, 1.19 s in total, the longest 396 ms "
        "(at 10.0 ms), and all ended when `first` asked the database again in `migrate` "
        "(db.py:12, via `Connection.execute`), 99 % of that time asleep in `load` (db.py:5) "
        "until then. No transaction was open meanwhile, so it most likely had a lock of its "
        "session (`pg_advisory_lock`, `get_lock`), which a commit does not end. Do slow work "
        "without it, or take one that ends with the transaction (`pg_advisory_xact_lock`)."
    )


def test_a_busy_machine_is_late(tmp_path):
    found = kinds(tmp_path, session(sleeps_ns=900 * MS, late_ns=100 * MS))
    assert found == ["database locked"]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"waiters": 2, "sleeps_ns": 800 * MS}, id="two"),
        pytest.param({"sleeps_ns": 150 * MS}, id="little"),
        pytest.param({"late_ns": 60 * MS}, id="they end later"),
        pytest.param({"others": 2}, id="others wait on at that line"),
    ],
)
def test_waits_for_somebody_else(tmp_path, story):
    assert kinds(tmp_path, session(**story)) == []


def each_other(ns=1_000 * MS, back="Connection.rollback", late_ns=MS, begins=True, told_ns=0):
    """Two transfers: each has changed a row, and waits for that of the other one; `told_ns`:
    the one that fails hears of it so much later."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    end = 10 * MS + ns
    for n, over in enumerate((end + told_ns, end + MS + late_ns)):
        thread = trace.thread(f"transfer-{n}").native(0)
        if begins:
            thread.io(MS, "poll", **query("/app/db.py:15 move")).native(2 * MS)
        thread.io(10 * MS, "poll", **query("/app/db.py:18 move")).native(over)
        last = back if n == 0 else "Connection.commit"
        thread.io(over + MS, "poll", **query("/app/db.py:14 move", last)).native(over + 2 * MS)
        thread.end(end + 100 * MS)
    return trace.ended(end + 101 * MS)


def test_two_transactions_wait_for_each_other(tmp_path):
    (found,) = find_in(tmp_path, each_other())
    assert (found.finding, found.severity_ns) == ("deadlock", 2_002 * MS)
    assert found.text == (
        "Deadlock in the database at 10.0 ms, for 1.00 s: `transfer-0` waited in `query "
        "(psycopg)` in `move` (db.py:18, via `Connection.execute`) and `transfer-1` in `query "
        "(psycopg)` in `move` (db.py:18, via `Connection.execute`), each with a transaction "
        "open. `transfer-0` had to roll back, and only then did the other one go on."
    )
    assert "in one order" in found.next_step


def test_the_other_one_may_hear_of_the_end_first(tmp_path):
    assert kinds(tmp_path, each_other(late_ns=0, told_ns=4 * MS)) == ["deadlock"]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"late_ns": 0, "told_ns": 60 * MS}, id="it fails later on"),
        pytest.param({"ns": 150 * MS}, id="a moment"),
        pytest.param({"back": "Connection.commit"}, id="it commits"),
        pytest.param({"late_ns": 80 * MS}, id="the other one waits on"),
        pytest.param({"begins": False}, id="no transaction was open"),
    ],
)
def test_two_slow_queries(tmp_path, story):
    assert "deadlock" not in kinds(tmp_path, each_other(**story))
