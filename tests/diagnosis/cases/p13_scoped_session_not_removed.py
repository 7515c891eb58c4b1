"""Threads of a pool keep the connection of their scoped session after the request
(https://github.com/pallets-eco/flask-security/issues/859).
truth: 3 connections stay with threads that idle; the other 3 threads wait 1 s in `load_user` in vain."""
import threading
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import create_engine, text
from sqlalchemy.orm import scoped_session, sessionmaker
from sqlalchemy.pool import QueuePool

engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=3, max_overflow=0, pool_timeout=1,
                       connect_args={"check_same_thread": False})
Session = scoped_session(sessionmaker(engine))
together = threading.Barrier(6)


def load_user(number):
    together.wait()
    return Session.execute(text("select :n"), {"n": number}).scalar()


with ThreadPoolExecutor(6, "request") as pool:
    futures = [pool.submit(load_user, n) for n in range(6)]
    print([future.exception() and "timeout" for future in futures])
