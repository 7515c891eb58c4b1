"""A worker keeps a connection of SQLAlchemy's pool while it waits for a hook, which another thread
runs and which needs a connection of the same pool (https://github.com/PrefectHQ/prefect/issues/6492).
truth: 2 threads `flow-N` have both connections in `run_flow` and wait in `Queue.get` for `hooks`,
which waits 1 s for a connection in `audit`, again and again, and gives up."""
import queue
import threading
import time

from sqlalchemy import create_engine, text
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

engine = create_engine(
    "sqlite://", poolclass=QueuePool, pool_size=2, max_overflow=0, pool_timeout=1,
    connect_args={"check_same_thread": False},
)
hooks = queue.Queue()
lost = []


def audit(name):
    with engine.connect() as connection:
        connection.execute(text("select 1"))


def run_hooks():
    while (job := hooks.get()) is not None:
        name, answer = job
        try:
            audit(name)
            answer.put("ok")
        except PoolTimeout:
            lost.append(name)
            answer.put("failed")


def run_flow(n, barrier):
    for k in range(3):
        with engine.connect() as connection:
            connection.execute(text("select 1"))
            time.sleep(0.01)
        time.sleep(0.005)
    barrier.wait()
    with engine.connect() as connection:
        connection.execute(text("select 1"))
        barrier.wait()
        answer = queue.Queue()
        hooks.put((f"flow-{n}", answer))
        answer.get()


def main():
    runner = threading.Thread(target=run_hooks, name="hooks")
    runner.start()
    barrier = threading.Barrier(2)
    flows = [threading.Thread(target=run_flow, args=(n, barrier), name=f"flow-{n}") for n in range(2)]
    for one in flows:
        one.start()
    for one in flows:
        one.join()
    hooks.put(None)
    runner.join()
    print("truth", lost)


main()
