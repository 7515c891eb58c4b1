"""Submissions wait for a row that a slow transaction has locked
(https://github.com/kobotoolbox/kobocat/issues/490).
truth: `submit` waits up to 0.8 s in execute for the row that `export` locked, asleep in between."""
import os
import threading
import time

import psycopg

URL = os.environ["PG_URL"]
locked = threading.Event()


def export():
    with psycopg.connect(URL) as connection:
        connection.execute("select * from form where id = 1 for update")
        locked.set()
        time.sleep(0.8)


def submit():
    with psycopg.connect(URL) as connection:
        connection.execute("update form set submissions = submissions + 1 where id = 1")


with psycopg.connect(URL) as connection:
    connection.execute("create table form(id int primary key, submissions int)")
    connection.execute("insert into form values (1, 0)")
exporter = threading.Thread(target=export, name="exporter")
exporter.start()
locked.wait()
threads = [threading.Thread(target=submit, name=f"submit-{n}") for n in range(3)]
for thread in threads:
    thread.start()
for thread in (exporter, *threads):
    thread.join()
