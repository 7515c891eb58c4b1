"""A call that gevent does not know blocks all greenlets
(https://github.com/gevent/gevent/issues/1260).
truth: `query` blocks the hub 6 times for 120 ms in a C call; `ping` is late each time."""
import gevent
import sqlite3


def busy(n):
    return n


def query():
    db = sqlite3.connect(":memory:")
    for _ in range(6):
        db.execute(
            "with recursive c(n) as (select 1 union all select n + 1 from c limit 900000)"
            " select max(n) from c"
        ).fetchone()
        gevent.sleep(0.05)


def ping():
    for _ in range(60):
        gevent.sleep(0.01)


gevent.joinall([gevent.spawn(query)] + [gevent.spawn(ping) for _ in range(5)])
