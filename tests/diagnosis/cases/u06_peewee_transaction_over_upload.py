"""peewee: `atomic()` around an upload keeps SQLite's write lock
(https://github.com/coleifer/peewee/issues/2222 and many "database is locked").
truth: `sync_invoice` has the transaction open while it sleeps 250 ms in `upload`, 4 times; 5 web threads wait
in `save_visit` for it."""
import os
import tempfile
import threading
import time

import peewee

database = peewee.SqliteDatabase(None)


class Visit(peewee.Model):
    page = peewee.CharField()

    class Meta:
        database = database


def upload(invoice):
    time.sleep(0.25)


def sync_invoice(n):
    with database.atomic("IMMEDIATE"):
        Visit.create(page=f"invoice {n}")
        upload(n)


def sync_all():
    for n in range(4):
        sync_invoice(n)
        time.sleep(0.02)


def save_visit(n):
    with database.atomic("IMMEDIATE"):
        Visit.create(page=f"page {n}")


def web(n):
    for k in range(4):
        save_visit(k)
        time.sleep(0.01)
    database.close()


path = os.path.join(tempfile.mkdtemp(), "app.db")
database.init(path, pragmas={"journal_mode": "wal"}, timeout=5)
database.create_tables([Visit])
threads = [threading.Thread(target=sync_all, name="billing")]
threads += [threading.Thread(target=web, args=(n,), name=f"web-{n}") for n in range(5)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
