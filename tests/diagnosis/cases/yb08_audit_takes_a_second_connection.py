"""Each request has one connection and asks the same pool for a second one, for its audit: with as many requests as connections they wait for each other (selhorys/dataspoke-baseline#143, mcdonc/klangk#690). Needs sqlalchemy.
truth: 3 threads `req-N`, pool of 3: each took its connection in `handle` and waits 1.2 s for another one in `audit`, until the pool's time-out."""
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
    with engine.connect() as connection:
        connection.execute(sa.text("select 1")).all()
        together.wait()
        audit("read")


for _ in range(20):
    with engine.connect() as connection:
        connection.execute(sa.text("select 1")).all()
threads = [threading.Thread(target=handle, name=f"req-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
