"""A migration waits for the lock of a table behind a transaction that is idle, and the readers wait behind the migration (apache/superset#6606, psycopg/psycopg2#1654). Needs psycopg2 and PostgreSQL.
truth: `migrate` waits ~1.1 s in ALTER TABLE for the transaction of `report`, open since its select, asleep in `render`; three `price` wait ~1 s behind it."""
import os
import threading
import time

import psycopg2

URL = os.environ["PG_URL"]


def connect(autocommit=True):
    connection = psycopg2.connect(URL)
    connection.autocommit = autocommit
    return connection


def render(rows):
    time.sleep(1.2)
    return len(rows)


def report():
    connection = connect(autocommit=False)
    cursor = connection.cursor()
    cursor.execute("select * from item")
    render(cursor.fetchall())
    connection.commit()
    connection.close()


def migrate():
    connection, start = connect(), time.perf_counter()
    connection.cursor().execute("alter table item add column if not exists note text")
    print(f"truth alter {(time.perf_counter() - start) * 1e3:.0f} ms")
    connection.close()


def price():
    connection = connect()
    cursor, start = connection.cursor(), time.perf_counter()
    cursor.execute("select sum(price) from item")
    print(f"truth price {cursor.fetchone()} {(time.perf_counter() - start) * 1e3:.0f} ms")
    connection.close()


setup = connect()
setup.cursor().execute(
    "drop table if exists item; create table item(id int, price int);"
    "insert into item select i, i from generate_series(1, 50) i"
)
setup.close()
price()
threads = [threading.Thread(target=report, name="report")]
threads += [threading.Thread(target=migrate, name="migrate")]
threads += [threading.Thread(target=price, name=f"shop-{n}") for n in range(3)]
for thread in threads:
    thread.start()
    time.sleep(0.1)
for thread in threads:
    thread.join()
