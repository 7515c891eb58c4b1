"""Each request gives its connection back before its audit takes one from the pool, and each lasts for 2 ms: nothing is wrong. Needs sqlalchemy."""
import tempfile
import threading
import time

import sqlalchemy as sa

engine = sa.create_engine(
    f"sqlite:///{tempfile.mkdtemp()}/app.db",
    poolclass=sa.pool.QueuePool, pool_size=3, max_overflow=0, pool_timeout=1.2,
)
together = threading.Barrier(3)


def audit(what):
    start = time.perf_counter()
    try:
        with engine.connect() as connection:
            connection.execute(sa.text("select 2"))
    except sa.exc.TimeoutError:
        print(f"truth audit gave up after {(time.perf_counter() - start) * 1e3:.0f} ms")


def handle():
    for _ in range(20):
        with engine.connect() as connection:
            connection.execute(sa.text("select 1")).all()
            time.sleep(0.002)
        together.wait()
        audit("read")
        time.sleep(0.04)


for _ in range(20):
    with engine.connect() as connection:
        connection.execute(sa.text("select 1")).all()
threads = [threading.Thread(target=handle, name=f"req-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
