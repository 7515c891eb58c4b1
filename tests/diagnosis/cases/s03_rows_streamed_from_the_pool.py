"""Exports stream rows while they keep a connection; other requests wait for one
(https://github.com/dbinfrago/capella-collab-manager/issues/1914).
truth: 2 connections; `export` keeps one 0.4 s, asleep in `write_row`; 6 threads `page-N` wait in `show_page`."""
import threading
import time

from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import QueuePool

engine = create_engine("sqlite://", poolclass=QueuePool, pool_size=2, max_overflow=0, pool_timeout=10,
                       connect_args={"check_same_thread": False})


def rows(session):
    for number in range(8):
        yield session.execute(text("select :n"), {"n": number}).scalar()


def write_row(row):
    time.sleep(0.05)


def export():
    for _ in range(2):
        with Session(engine) as session:
            for row in rows(session):
                write_row(row)


def show_page(number):
    with Session(engine) as session:
        return session.execute(text("select :n"), {"n": number}).scalar()


exports = [threading.Thread(target=export, name=f"export-{n}") for n in range(2)]
for thread in exports:
    thread.start()
time.sleep(0.1)
pages = [threading.Thread(target=show_page, args=(n,), name=f"page-{n}") for n in range(6)]
for thread in pages:
    thread.start()
for thread in [*exports, *pages]:
    thread.join()
