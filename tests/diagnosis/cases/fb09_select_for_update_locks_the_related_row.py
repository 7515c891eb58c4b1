"""select_for_update over a join locks the row that all share, and all requests queue for it
(https://github.com/gip-inclusion/les-emplois/pull/6310).
truth: 5 threads `web-N` wait in `select ... for update` in `certify` for the criterion's row; whoever has it calls `ask_api`, asleep 0.25 s, in its transaction."""
import os
import threading
import time
from urllib.parse import urlsplit

import django
import psycopg
from django.conf import settings

url = urlsplit(os.environ["PG_URL"])
settings.configure(DEBUG=False, SECRET_KEY="x", USE_TZ=True, DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "NAME": url.path.lstrip("/") or "postgres", "USER": url.username or "postgres",
    "PASSWORD": url.password or "", "HOST": url.hostname, "PORT": url.port}})
django.setup()
from django.db import connection, transaction  # noqa: E402


def ask_api():
    time.sleep(0.25)


def certify(application):
    begun = time.perf_counter()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select * from selected s join criteria c on c.id = s.criterion where s.id = %s for update", [application])
        cursor.fetchall()
        ask_api()
        cursor.execute("update selected set certified = true where id = %s", [application])
    connection.close()
    took.append(round(time.perf_counter() - begun, 2))


with psycopg.connect(os.environ["PG_URL"]) as db:
    db.execute("drop table if exists selected")
    db.execute("drop table if exists criteria")
    db.execute("create table criteria(id int primary key, name text)")
    db.execute("create table selected(id int primary key, criterion int, certified bool)")
    db.execute("insert into criteria values (1, 'long unemployed')")
    db.execute("insert into selected select n, 1, false from generate_series(1, 20) n")
took = []
threads = [threading.Thread(target=certify, args=(n,), name=f"web-{n}") for n in range(1, 7)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("truth", took)
