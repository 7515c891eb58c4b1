"""A C database driver under gevent does not yield (https://github.com/dimagi/commcare-hq/pull/7706 and many).

Truth: `report` runs a query of 0.1 to 0.2 s in the hub's thread, six times; `ping` is late by as much each time.
"""

from gevent import monkey

monkey.patch_all()

import sqlite3
import time

import gevent

db = sqlite3.connect(":memory:")
late = []


def report(n):
    return db.execute(
        "with recursive c(x) as (select 1 union all select x + 1 from c where x < 900000) select sum(x % ?) from c", (n + 3,)
    ).fetchone()


def reports():
    for n in range(6):
        report(n)
        gevent.sleep(0.1)


def ping():
    while True:
        begun = time.perf_counter()
        gevent.sleep(0.02)
        late.append(time.perf_counter() - begun - 0.02)


pinger = gevent.spawn(ping)
gevent.spawn(reports).join()
pinger.kill()
print(f"truth: ping late by up to {max(late) * 1e3:.0f} ms")
