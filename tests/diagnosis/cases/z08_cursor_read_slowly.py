"""A cursor of SQLite is read row by row with slow work between, so that no writer can commit
(after "database is locked" reports without any long transaction).
truth: `export` keeps a read cursor open (fetch row by row, asleep between) so the commit of `writer` fails
with "database is locked" after 0.4 s each."""
import os
import sqlite3
import tempfile
import threading
import time

path = os.path.join(tempfile.mkdtemp(), "shop.db")


def connect():
    return sqlite3.connect(path, timeout=0.4)


def send(row):
    time.sleep(0.012)


def export(out):
    db = connect()
    for row in db.execute("select id, name from item order by id"):
        send(row)
        out.append(row)
    db.close()


def writer(n, failed):
    db = connect()
    for k in range(5):
        try:
            db.execute("insert into item(name) values (?)", (f"new {n} {k}",))
            db.commit()
        except sqlite3.OperationalError as error:
            db.rollback()
            failed.append(str(error))
        time.sleep(0.03)
    db.close()


db = connect()
db.execute("create table item(id integer primary key, name text)")
db.executemany("insert into item(name) values (?)", [(f"item {n}" * 30,) for n in range(150)])
db.commit()
db.close()
out, failed = [], []
threads = [threading.Thread(target=export, args=(out,), name="export")]
threads += [threading.Thread(target=writer, args=(n, failed), name=f"writer-{n}") for n in range(2)]
for t in threads:
    t.start()
    time.sleep(0.05)
for t in threads:
    t.join()
print(len(out), "rows;", failed)
