"""A migration waits for the table's lock, and all readers queue behind the migration
(https://github.com/taskcluster/taskcluster/issues/3632).

truth: `report`'s transaction (opened at its SELECT, idle while `render` sleeps) holds the table; `migrate`'s ALTER TABLE
waits for it for 1.5 s, and the readers in `lookup` wait behind the ALTER.
"""
import os
import threading
import time

import psycopg

URL = os.environ["PG_URL"]
selected = threading.Event()
altering = threading.Event()


def render(rows: list[tuple[int]]) -> None:
    time.sleep(1.6)


def report() -> None:
    with psycopg.connect(URL) as connection:
        rows = connection.execute("SELECT id FROM artifacts").fetchall()
        selected.set()
        render(rows)


def migrate() -> None:
    with psycopg.connect(URL, autocommit=True) as connection:
        selected.wait()
        altering.set()
        connection.execute("ALTER TABLE artifacts ADD COLUMN kind text")


def lookup(number: int) -> None:
    with psycopg.connect(URL, autocommit=True) as connection:
        altering.wait()
        time.sleep(0.1)
        connection.execute("SELECT id FROM artifacts WHERE id = %s", (number,)).fetchall()


def main() -> None:
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS artifacts")
        connection.execute("CREATE TABLE artifacts (id int)")
        connection.execute("INSERT INTO artifacts SELECT generate_series(1, 50)")
    threads = [threading.Thread(target=report, name="report"), threading.Thread(target=migrate, name="migrate")]
    threads += [threading.Thread(target=lookup, args=(n,), name=f"reader-{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
