"""A function opens a second connection while its caller has one of the same pool
(https://github.com/DIRACGrid/DIRAC/pull/3793).
truth: both threads have one of 2 connections in `save_order` and wait 1 s in `log_event` for another one."""
import threading

from sqlalchemy import create_engine, text
from sqlalchemy.exc import TimeoutError
from sqlalchemy.pool import QueuePool

engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=2, max_overflow=0, pool_timeout=1,
                       connect_args={"check_same_thread": False})
together = threading.Barrier(2)


def log_event(event):
    with engine.connect() as db:
        db.execute(text("select :e"), {"e": event})


def save_order(number):
    with engine.begin() as db:
        db.execute(text("select :n"), {"n": number})
        together.wait()
        try:
            log_event(f"saved {number}")
        except TimeoutError:
            print("time-out")


threads = [threading.Thread(target=save_order, args=(n,), name=f"order-{n}") for n in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
