"""Threads that try again and again while another one keeps a transaction open."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

EXECUTE, SAVE, AGAIN = "sqlite3.Connection.execute", "/app/db.py:9 save", "/app/db.py:11 save"


def tries(
    pauses=10, each_ns=78 * MS, goes_on=True, after=0, site=AGAIN, keeps=True, short=False
):
    """`save` pauses after each try, until `importer` goes on; then `after` times more.
    `short`: `other` does, too, and its tries in between are too short to be recorded."""
    trace = TraceBuilder(argv="db.py", signals=SIGNALS)
    importer, save = trace.thread("importer"), trace.thread("save").native(0)
    importer.io(0, EXECUTE, site="/app/db.py:4 load").native(MS)
    at, over = 10 * MS, 10 * MS + pauses * 80 * MS - 40 * MS
    for n in range(pauses + after):
        save.io(at, EXECUTE, site=SAVE).native(at + MS // 10)
        save.sleep(at + MS, site=site).native(at + MS + each_ns)
        at += 80 * MS
        if n == pauses - 1:
            if keeps:
                importer.sleep(2 * MS, site="/app/db.py:5 load").native(over - MS)
                importer.io(over, EXECUTE, site="/app/db.py:6 load").native(over + MS)
            importer.end(at if goes_on else at + MS)
    if short:
        other = trace.thread("other").native(0)
        other.io(1, EXECUTE, site=SAVE).native(MS // 10)
        for n in range(pauses):
            other.sleep(MS + n * 80 * MS, site=AGAIN).native(MS + n * 80 * MS + each_ns)
        other.io(over + 20 * MS, EXECUTE, site=SAVE).native(over + 21 * MS).end(at)
    save.end(at + MS)
    return trace.ended(at + 2 * MS)


def test_home_made_retries(tmp_path):
    (found,) = find_in(tmp_path, tries())
    assert (found.finding, found.evidence.site) == ("database locked", AGAIN)
    assert found.text == (
        "Database locked: `save` in `save` (db.py:11) tries again and again: 10 pauses "
        "between attempts, 780 ms in total (at 11.0 ms), until `importer` went on in `load` "
        "(db.py:6), which had kept a transaction open for 769 ms, 99 % of that time asleep "
        "in `load` (db.py:5). Do slow work before `begin` or after `commit`, and let SQLite "
        "wait (`timeout=` of `connect`) instead of trying again."
    )


def test_who_tries_has_no_transaction(tmp_path):
    (found,) = find_in(tmp_path, tries(short=True))
    assert "2 threads `other` and `save` in `save` (db.py:11) try again" in found.text
    assert "until `importer` went on in `load` (db.py:6)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"pauses": 6, "each_ns": 70 * MS}, id="little"),
        pytest.param({"pauses": 10, "each_ns": 52 * MS}, id="it does other things, too"),
        pytest.param({"after": 3}, id="it goes on pausing"),
        pytest.param({"site": "/app/db.py:30 pace"}, id="a pause elsewhere"),
        pytest.param({"keeps": False}, id="no transaction is open"),
    ],
)
def test_pauses_that_wait_for_no_transaction(tmp_path, story):
    assert "database locked" not in kinds(tmp_path, tries(**story))
