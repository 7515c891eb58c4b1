"""Calls of SQLite that all gave up at its busy time-out."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

COMMIT, SAVE = "sqlite3.Connection.commit", "/app/db.py:33 writer"


def commits(
    lengths=(401 * MS, 403 * MS, 408 * MS), name=COMMIT, samples=0, at_once=False
):  # fmt: skip
    """`writer` commits so many times, one after the other; `samples` of the CPU in the first.
    `at_once`: each in a thread of its own."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    writer, at = trace.thread("writer").native(0), 10 * MS
    cpu = SampleBuilder(trace)
    for n in range(samples):
        cpu.add(writer, at + n * 10 * MS, ("writer", "/app/db.py", 33))
    for ns in lengths:
        who = trace.thread("writer").native(at) if at_once else writer
        who.io(at, name, site=SAVE).native(at + ns)
        if at_once:
            who.end(at + ns + MS)
        else:
            at += ns + 20 * MS
    at += 500 * MS
    writer.end(at)
    return trace.ended(at + MS)


def test_all_gave_up(tmp_path):
    (found,) = find_in(tmp_path, commits())
    assert found.finding == "database locked"
    assert found.text == (
        "Database locked: `writer` waited in `sqlite3.Connection.commit` in `writer` "
        "(db.py:33) for SQLite's lock and gave up: 3 waits, 1.21 s in total, each of about "
        "401 ms, the time-out (at 854 ms). Who has the lock is not in the trace: a "
        "transaction that is not committed, a cursor whose rows are read slowly, or another "
        "program. Fetch all rows at once and commit soon, or use `pragma journal_mode=wal`, "
        "in which readers do not block writers."
    )
    assert (found.severity_ns, found.evidence.site) == (1212 * MS, SAVE)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"lengths": (401 * MS, 403 * MS)}, id="twice"),
        pytest.param({"lengths": (401 * MS, 250 * MS, 330 * MS)}, id="as a disk is slow"),
        pytest.param({"lengths": (430 * MS,) * 3}, id="not a time that people write"),
        pytest.param({"lengths": (201 * MS,) * 2}, id="little is lost"),
        pytest.param({"lengths": (105 * MS,) * 8}, id="SQLite asks again after that time"),
        pytest.param({"name": "socket.recv"}, id="something else"),
        pytest.param({"at_once": True}, id="one thing sets them free"),
        pytest.param({"samples": 5}, id="a query that computes"),
    ],
)
def test_other_long_calls(tmp_path, story):
    assert "database locked" not in kinds(tmp_path, commits(**story))
