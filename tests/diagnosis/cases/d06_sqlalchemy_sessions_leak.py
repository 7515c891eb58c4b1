"""Connections are checked out and never closed (fastapi/fastapi#27).
truth: two `handle` keep the two connections; the others give up in `handle` after 0.8 s."""
import threading
import time

import sqlalchemy as sa

engine = sa.create_engine("sqlite://", poolclass=sa.pool.QueuePool, pool_size=2, max_overflow=0, pool_timeout=0.8)
kept = []


def handle():
    before = time.perf_counter()
    try:
        kept.append(engine.connect())
    except sa.exc.TimeoutError:
        print(f"truth gave up after {(time.perf_counter() - before) * 1e3:.0f} ms")


threads = [threading.Thread(target=handle, name=f"request-{n}") for n in range(5)]
for thread in threads:
    thread.start()
    time.sleep(0.01)
for thread in threads:
    thread.join()
