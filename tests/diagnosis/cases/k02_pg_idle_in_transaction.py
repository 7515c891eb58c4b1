"""A migration waits for a table that a report has read in a transaction still open.
truth: `migrate` waits 0.9 s in `alter table`; `report` sleeps with its transaction open."""
import os
import threading
import time

import psycopg

url = os.environ["PG_URL"]
with psycopg.connect(url, autocommit=True) as setup:
    setup.execute("create table if not exists k02 (id int)")


def report():
    with psycopg.connect(url) as connection:
        connection.execute("select count(*) from k02").fetchone()
        time.sleep(1)
        connection.commit()


def migrate():
    with psycopg.connect(url) as connection:
        connection.execute("alter table k02 add column if not exists name text")
        connection.commit()


threads = [threading.Thread(target=report, name="report"), threading.Thread(target=migrate, name="migrate")]
threads[0].start()
time.sleep(0.15)
threads[1].start()
for thread in threads:
    thread.join()
