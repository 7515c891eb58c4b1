"""HEALTHY: a report reads with slow queries from SQLite while three threads read quickly."""
import sqlite3, tempfile, threading, time, os
path = os.path.join(tempfile.mkdtemp(), "a.db")
db = sqlite3.connect(path); db.execute("create table u (id int, n text)"); db.executemany("insert into u values (?, ?)", [(i, "x") for i in range(1000)]); db.commit(); db.close()
SLOW = "with recursive c(x) as (select 1 union all select x+1 from c where x < 1500000) select sum(x) + (select count(*) from u) from c"
def report():
    db = sqlite3.connect(path)
    for _ in range(6): db.execute(SLOW).fetchone(); time.sleep(0.05)
def web():
    db = sqlite3.connect(path)
    for i in range(60): db.execute("select * from u where n = 'x' limit 500").fetchall(); time.sleep(0.03)
ts = [threading.Thread(target=report, name="report")] + [threading.Thread(target=web, name=f"web-{i}") for i in range(3)]
[t.start() for t in ts]; [t.join() for t in ts]
