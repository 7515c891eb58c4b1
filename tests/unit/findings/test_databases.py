"""Waits for a database that the program itself keeps locked."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

EXECUTE, SAVE = "sqlite3.Connection.execute", "/app/db.py:9 save"


def sqlite(wait_ns=300 * MS, waiters=2, keeps=True, preempted=False, samples=0):
    """Threads wait in SQLite while `importer` sleeps between two statements; `samples`: of
    the CPU, in each wait."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    sampled = SampleBuilder(trace)
    importer = trace.thread("importer")
    importer.io(0, EXECUTE, site="/app/db.py:4 load").native(MS)
    if preempted:
        importer.preempted(2 * MS)
    elif keeps:
        importer.sleep(2 * MS, site="/app/db.py:5 load")
    if keeps:
        importer.io(20 * MS + wait_ns, EXECUTE, site="/app/db.py:6 load")
    end = 21 * MS + wait_ns
    importer.native(end).end(end + MS)
    for n in range(waiters):
        thread = trace.thread(f"click-{n}").native(0)
        thread.io(10 * MS, EXECUTE, site=SAVE).native(10 * MS + wait_ns).end(end + MS)
        sampled.add(thread, 12 * MS, ("save", "/app/db.py", 9), times=samples)
    return trace.ended(end + 2 * MS)


def test_a_moment_of_computing_is_no_slow_query(tmp_path):
    assert kinds(tmp_path, sqlite(samples=2)) == ["database locked"]


def test_a_transaction_that_is_kept_open(tmp_path):
    (found,) = find_in(tmp_path, sqlite())
    assert found.finding == "database locked"
    assert found.text == (
        "Database locked: 2 threads `click-N` waited in `sqlite3.Connection.execute` in "
        "`save` (db.py:9) for SQLite's lock: 2 waits, 600 ms in total, the longest 300 ms (at "
        "10.0 ms). Meanwhile `importer` kept a transaction open, 99 % of that time asleep in "
        "`load` (db.py:5). Do slow work before `begin` or after `commit`."
    )
    assert (found.severity_ns, found.evidence.site) == (600 * MS, SAVE)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"wait_ns": 240 * MS}, id="little"),
        pytest.param({"wait_ns": 90 * MS, "waiters": 6}, id="as a disk may take"),
        pytest.param({"keeps": False}, id="nobody here keeps one"),
        pytest.param({"samples": 3}, id="slow queries"),
        pytest.param({"preempted": True}, id="the kernel keeps it open"),
    ],
)
def test_a_database_that_is_free(tmp_path, story):
    assert kinds(tmp_path, sqlite(**story)) == []


def short_begins(before="sqlite3.connect", waiters=2):
    """Jobs of one thread that each connect, begin, which is too short to be recorded, sleep
    and write, while others wait to begin."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    winner, jobs, job_ns = trace.thread("winner"), 6, 50 * MS
    for start in range(10 * MS, 10 * MS + jobs * job_ns, job_ns):
        winner.native(start - 2 * MS).io(start, before, site="/app/db.py:4 load")
        winner.native(start + MS).sleep(start + 2 * MS, site="/app/db.py:5 load")
        winner.io(start + 42 * MS, EXECUTE, site="/app/db.py:6 load").native(start + 43 * MS)
    end = 10 * MS + jobs * job_ns
    winner.end(end + MS)
    for n in range(waiters):
        thread = trace.thread(f"click-{n}").native(0)
        thread.io(10 * MS, EXECUTE, site=SAVE).native(end).end(end + MS)
    return trace.ended(end + 2 * MS)


def test_a_transaction_whose_begin_was_short(tmp_path):
    (found,) = find_in(tmp_path, short_begins())
    assert found.finding == "database locked"
    assert "Meanwhile `winner` kept a transaction open, 98 % of that time asleep" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"before": "sqlite3.Connection.close"}, id="none is open"),
        pytest.param({"waiters": 1}, id="little"),
    ],
)
def test_nothing_was_begun(tmp_path, story):
    assert kinds(tmp_path, short_begins(**story)) == []


def outside(held_ns=0):
    """Others wait for a lock of another program, for which a thread waits that paused before;
    it may have had the lock itself until then."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    pauses = trace.thread("pauses")
    pauses.io(0, EXECUTE, site="/app/db.py:4 load").native(MS)
    pauses.sleep(2 * MS, site="/app/db.py:5 load")
    until = 600 * MS
    begins = 40 * MS + held_ns
    wait_ns = until - begins if not held_ns else MS
    pauses.io(begins, EXECUTE, site="/app/db.py:6 load").native(begins + wait_ns)
    pauses.end(until + MS)
    for n in range(2):
        thread = trace.thread(f"click-{n}").native(0)
        thread.io(10 * MS, EXECUTE, site=SAVE).native(until).end(until + MS)
    return trace.ended(until + 2 * MS)


@pytest.mark.parametrize(
    ("held_ns", "found"),
    [
        pytest.param(0, [], id="it waits itself"),
        pytest.param(100 * MS, [], id="it paused for a part of the waits"),
        pytest.param(400 * MS, ["database locked"], id="it had the lock for most of them"),
    ],
)
def test_a_lock_of_another_program(tmp_path, held_ns, found):
    assert kinds(tmp_path, outside(held_ns)) == found


PACKAGES = "/venv/lib/python3.13/site-packages"
PSYCOPG = f"{PACKAGES}/psycopg/connection.py"
SUBMIT = "/app/db.py:20 submit"


def query(site, function="Connection.execute"):
    return {
        "site": site,
        "stack": f"{PSYCOPG}:495 Connection.wait\n{PSYCOPG}:9 {function}\n{site}",
    }


def server(
    sleeps_ns=600 * MS,
    end="Connection.commit",
    late_ns=2 * MS,
    waiters=2,
    does="Connection.execute",
    asleep="/app/db.py:5 export",
):
    """`export` locks a row, sleeps, and commits; others wait in pieces of 100 ms."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    export = trace.thread("export")
    export.io(0, "poll", **query("/app/db.py:4 export")).native(MS)
    export.sleep(2 * MS, site=asleep)
    commit = 2 * MS + sleeps_ns
    export.io(commit, "poll", **query("/app/db.py:6 export", end)).native(commit + MS)
    done = commit + late_ns
    export.end(done + 10 * MS)
    for n in range(waiters):
        thread = trace.thread(f"submit-{n}").native(0)
        for at in range(10 * MS, done, 100 * MS):
            known = query(SUBMIT, does) if at + 100 * MS >= done else {}
            thread.io(at, "poll", **known).native(min(at + 99 * MS, done - MS))
        thread.native(done).end(done + 10 * MS)
    return trace.ended(done + 20 * MS)


def test_a_row_that_is_kept_locked(tmp_path):
    (found,) = find_in(tmp_path, server())
    assert found.finding == "database locked"
    assert found.text == (
        "Database locked: 2 threads `submit-N` waited in `query (psycopg)` in `submit` "
        "(db.py:20, via `Connection.execute`) for a row or table that is locked: 2 waits, "
        "1.19 s in total, the longest 593 ms (at 10.0 ms). Meanwhile `export` kept a "
        "transaction open, 99 % of that time asleep in `export` (db.py:5); the waits ended "
        "when it went on. Do slow work before `begin` or after `commit`."
    )
    assert found.evidence.site == SUBMIT


def test_a_commit_that_was_forgotten(tmp_path):
    (found,) = find_in(tmp_path, server(asleep="/app/db.py:30 main"))
    assert found.text.endswith(
        "Meanwhile `export` kept a transaction open after its call in `export` (db.py:4, via "
        "`Connection.execute`), 99 % of that time asleep in `main` (db.py:30); the waits "
        "ended when it went on. Commit or roll back there."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"sleeps_ns": 90 * MS, "waiters": 6}, id="as a query may take"),
        pytest.param({"waiters": 1, "sleeps_ns": 480 * MS}, id="little"),
        pytest.param({"end": "Connection.execute"}, id="each statement commits"),
        pytest.param({"late_ns": 90 * MS}, id="the answer comes when it likes"),
        pytest.param({"does": "Connection.notifies"}, id="they listen"),
    ],
)
def test_a_slow_query(tmp_path, story):
    assert kinds(tmp_path, server(**story)) == []


PAY = "/app/bank.py:18 Wallet.pay"
ASYNC = f"{PACKAGES}/psycopg/connection_async.py:9 AsyncConnection.execute\n{PAY}"


def attempts(kept_ns=1390 * MS, library="psycopg", limits=(5, 5, 5)):
    """`main` asks for a row until its lock's time-out, again and again; psycopg awaits it in
    pieces of 100 ms. `clerk` has it meanwhile."""
    trace = TraceBuilder(argv="bank.py", signals=SIGNALS)
    clerk = trace.thread("clerk")
    clerk.io(0, "poll", **query("/app/bank.py:4 book")).native(MS)
    clerk.sleep(2 * MS, site="/app/bank.py:5 book")
    clerk.io(2 * MS + kept_ns, "poll", **query("/app/bank.py:6 book", "Connection.commit"))
    clerk.native(3 * MS + kept_ns).end(1600 * MS)
    thread = trace.thread("MainThread").native(0)
    main = (
        trace.loop(thread)
        .task("main", site="/app/bank.py:30 main")
        .ready(4 * MS)
        .running(4 * MS)
    )
    at, end = 5 * MS, 4 * MS + kept_ns
    for pieces in limits:
        for until in range(at + 100 * MS, at + 100 * pieces * MS + 1, 100 * MS):
            if at < end:
                main.awaits(at, f"query ({library})", site=PAY, stack=ASYNC)
                at = min(until, end)
                main.ready(at).running(at)
                at += MS // 10
        at += 20 * MS
    main.done(end + 5 * MS)
    thread.end(1600 * MS)
    return trace.ended(1700 * MS)


def test_a_row_that_a_task_asks_for_again_and_again(tmp_path):
    (found,) = find_in(tmp_path, attempts())
    assert found.finding == "database locked"
    assert found.text == (
        "Database locked: `main` waited in `query (psycopg)` in `Wallet.pay` (bank.py:18, via "
        "`AsyncConnection.execute`) for a row or table that is locked: 3 waits, 1.35 s in "
        "total, the longest 500 ms (at 5.00 ms). Meanwhile `clerk` kept a transaction open, "
        "99 % of that time asleep in `book` (bank.py:5); the waits ended when it went on. "
        "Do slow work before `begin` or after `commit`."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"library": "asyncpg"}, id="each await is a query of its own"),
        pytest.param({"kept_ns": 480 * MS}, id="little"),
        pytest.param({"limits": (2, 3, 2, 4, 5)}, id="queries end when they like"),
    ],
)
def test_queries_of_a_task_that_no_row_keeps(tmp_path, story):
    assert "database locked" not in kinds(tmp_path, attempts(**story))


def alter(asks="poll", ends="poll", sleeps_ns=600 * MS, late_ns=3 * MS):
    """psycopg2 is in C: the first call at a line is known as `poll`. `report` leaves its
    transaction open as it sleeps, `migrate` waits for it."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    connect = f"{PACKAGES}/psycopg2/__init__.py:122 connect"
    report, done = trace.thread("report"), 6 * MS + sleeps_ns
    stack = f"{connect}\n/app/db.py:3 report"
    report.io(0, "psycopg2._psycopg._connect", site=connect, stack=stack).native(MS)
    if asks:
        report.io(2 * MS, asks, site="/app/db.py:4 report").native(3 * MS)
    report.sleep(4 * MS, site="/app/db.py:9 render")
    report.io(done, ends, site="/app/db.py:6 report").native(done + MS).end(done + 200 * MS)
    migrate = trace.thread("migrate").native(0)
    migrate.io(5 * MS, "psycopg2.extensions.cursor.execute", site="/app/db.py:20 migrate")
    migrate.native(done + late_ns).end(done + 200 * MS)
    return trace.ended(done + 210 * MS)


@pytest.mark.parametrize(
    "ends",
    [
        "poll",
        "psycopg2.extensions.connection.commit",
        "psycopg2.extensions.connection.__exit__",
    ],
)
def test_a_driver_in_c(tmp_path, ends):
    (found,) = find_in(tmp_path, alter(ends=ends))
    assert "`migrate` waited in `query (psycopg2)` in `migrate` (db.py:20)" in found.text
    assert (
        "`report` kept a transaction open after its call in `report` (db.py:4)" in found.text
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"asks": ""}, id="it had only connected"),
        pytest.param({"ends": "psycopg2.extensions.cursor.execute"}, id="it asks again"),
        pytest.param({"sleeps_ns": 480 * MS}, id="little"),
        pytest.param({"late_ns": 90 * MS}, id="the answer comes when it likes"),
    ],
)
def test_nothing_is_open_in_a_driver_in_c(tmp_path, story):
    assert kinds(tmp_path, alter(**story)) == []


def reader(wait_ns=800 * MS, begins=EXECUTE, asleep=True, ends_late_ns=0, error=False):
    """`report` reads what it has selected, and closes its connection; `writer` waits until
    then. Reading a row takes no time. `asleep`: `writer` does, in SQLite, in a `with` at whose
    end the trace knows of the commit only later on."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    report, writer = trace.thread("report"), trace.thread("writer").native(0)
    report.io(0, begins, site="/app/db.py:4 report").native(MS)
    report.sleep(2 * MS, site="/app/db.py:5 render")
    start, end = 10 * MS, 10 * MS + wait_ns
    if asleep:
        writer.sleep(start, site=SAVE).native(end)
    else:
        writer.io(start, EXECUTE, site=SAVE).native(end)
    writer.io(end + 100 * MS, "sqlite3.Connection.__exit__", site=SAVE).native(end + 101 * MS)
    if error:
        said = {s.ARG_EXCEPTION: "OperationalError", s.ARG_SITE: SAVE, s.ARG_STACK: SAVE}
        trace.instant(writer.track, end, s.RAISED, s.CAT_THREAD, **said)
    closes = end - MS + ends_late_ns
    report.io(closes, "sqlite3.Connection.close", site="/app/db.py:6 report")
    report.native(closes + MS).end(closes + MS)
    writer.end(end + 200 * MS)
    return trace.ended(closes + 300 * MS)


@pytest.mark.parametrize(
    "story", [{"error": True}, {"asleep": False}, {"ends_late_ns": 99 * MS, "error": True}]
)
def test_rows_that_are_read_slowly(tmp_path, story):
    (found,) = find_in(tmp_path, reader(**story))
    assert found.finding == "database locked"
    assert "`writer` waited in `sqlite3.Connection." in found.text
    assert "in `save` (db.py:9) for SQLite's lock: 1 wait, 800 ms" in found.text
    assert (
        "`report` kept a transaction open, 99 % of that time asleep in `render`" in found.text
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"wait_ns": 400 * MS, "asleep": False}, id="little"),
        pytest.param({"begins": "sqlite3.connect", "asleep": False}, id="it asks for nothing"),
        pytest.param(
            {"ends_late_ns": 99 * MS, "asleep": False}, id="the wait ends before that"
        ),
        pytest.param({}, id="a sleep of the program"),
    ],
)
def test_rows_that_nobody_waits_for(tmp_path, story):
    assert "database locked" not in kinds(tmp_path, reader(**story))
