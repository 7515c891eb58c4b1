"""Healthy: workers take jobs with SKIP LOCKED, and look again every 0.2 s when there is none."""

import os
import threading
import time

import psycopg

URL = os.environ["PG_URL"]
stop = threading.Event()
done = []


def prepare():
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("drop table if exists tasks")
        connection.execute("create table tasks (id serial primary key, payload text)")


def send(payload):
    time.sleep(0.03)
    done.append(payload)


def worker():
    with psycopg.connect(URL) as connection:
        while not stop.is_set():
            with connection.transaction():
                row = connection.execute(
                    "select id, payload from tasks order by id limit 1 for update skip locked"
                ).fetchone()
                if row:
                    send(row[1])
                    connection.execute("delete from tasks where id = %s", (row[0],))
            if row is None:
                stop.wait(0.2)


def main():
    prepare()
    threads = [threading.Thread(target=worker, name=f"mailer-{n}") for n in range(4)]
    for thread in threads:
        thread.start()
    with psycopg.connect(URL, autocommit=True) as connection:
        for burst in range(6):
            for number in range(5):
                connection.execute("insert into tasks (payload) values (%s)", (f"{number}",))
            time.sleep(0.6)
    time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    print(len(done), "mails")


main()
