"""Retries by hand around "database is locked".
After https://github.com/strombergdev/frameio-python-sync/issues/10.

truth: `save-N` pause 1.2 s in `save`; `importer` has its transaction open, asleep in `convert`."""
import os, sqlite3, tempfile, threading, time
path = os.path.join(tempfile.mkdtemp(), "a.db")
c = sqlite3.connect(path); c.execute("create table t(x)"); c.commit(); c.close()
ready = threading.Event()
def convert(): time.sleep(1.2)
def importer():
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("begin immediate"); db.execute("insert into t values (1)"); ready.set()
    convert()
    db.execute("commit")
def save():
    db = sqlite3.connect(path, timeout=0, isolation_level=None)
    for _ in range(40):
        try:
            db.execute("insert into t values (2)"); return
        except sqlite3.OperationalError:
            time.sleep(0.08)
i = threading.Thread(target=importer, name="importer"); i.start(); ready.wait()
ts = [threading.Thread(target=save, name=f"save-{n}") for n in range(3)]
for t in ts: t.start()
for t in ts + [i]: t.join()
