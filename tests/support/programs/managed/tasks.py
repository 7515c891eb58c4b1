"""What a Celery worker runs: a task that is quick, and one that keeps a transaction open."""

import os
import sqlite3
import time

from celery import Celery

app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BROKER"])


@app.task
def add(a: int, b: int) -> int:
    return a + b


@app.task(throws=(KeyError,))
def fails() -> None:
    raise KeyError("planted")


@app.task
def visit(n: int) -> int:
    database = sqlite3.connect(os.environ["DATABASE"], timeout=60, isolation_level=None)
    database.execute("begin immediate")  #: database
    database.execute("insert into visits values (1)")
    time.sleep(0.04)
    database.execute("commit")
    database.close()
    return n
