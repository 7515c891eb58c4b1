"""A report commits before it renders, so a migration waits for nobody; each price takes the server 0.3 s: nothing is wrong. Needs psycopg2 and PostgreSQL."""
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
    rows = cursor.fetchall()
    connection.commit()
    render(rows)
    connection.close()


def migrate():
    connection, start = connect(), time.perf_counter()
    connection.cursor().execute("alter table item add column if not exists note text")
    print(f"truth alter {(time.perf_counter() - start) * 1e3:.0f} ms")
    connection.close()


def price():
    connection = connect()
    cursor, start = connection.cursor(), time.perf_counter()
    cursor.execute("select sum(price), pg_sleep(0.3) from item")
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
