"""Pools that are known by the function in which one waits for a slot."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

LOAD = "/app/users.py:18 load_profile"
PEEWEE = "/venv/lib/python3.13/site-packages/playhouse/pool.py:96 PooledDatabase."


def asked_in_vain(function, threads=5, waits_ns=800 * MS):
    """Threads ask for a connection one after the other, and give up."""
    trace = TraceBuilder(argv="users.py", signals=SIGNALS)
    lock = trace.lock("Condition.wait", LOAD)
    for n in range(threads):
        thread, at = trace.thread(f"request-{n}").native(0), (n + 1) * 50 * MS
        thread.lock_wait(
            at, "Condition.wait", lock=lock, site=LOAD, acquired=False,
            stack=f"{PEEWEE}{function}\n{LOAD}",
        )  # fmt: skip
        thread.native(at + waits_ns).end(at + waits_ns + MS)
    return trace.ended((threads + 2) * 50 * MS + waits_ns)


@pytest.mark.parametrize("function", ["_connect", "connect"])
def test_peewees_pool(tmp_path, function):
    (found,) = find_in(tmp_path, asked_in_vain(function))
    assert found.finding == "slots never returned"
    assert found.text.startswith(
        "Slots never returned: 5 threads `request-N` waited for a connection of peewee's "
        f"pool in `load_profile` (users.py:18, via `PooledDatabase.{function}`) and gave up: "
        "5 waits, 4.00 s in total"
    )


def test_another_wait_of_peewees(tmp_path):
    assert kinds(tmp_path, asked_in_vain("close_idle")) == []


def test_short_waits_for_peewees_pool(tmp_path):
    assert kinds(tmp_path, asked_in_vain("connect", waits_ns=50 * MS)) == []
