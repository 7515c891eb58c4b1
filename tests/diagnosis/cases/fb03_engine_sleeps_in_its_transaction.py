"""An engine works through its alerts in a transaction, and sleeps before the next round without a commit
(https://github.com/Uninett/nav/issues/414).
truth: `acknowledge` (threads web-N) waits up to 0.8 s in execute for rows that `alert-engine` has locked; it sleeps in `run` with the transaction open."""
import os
import threading
import time

import sqlalchemy as sa

engine = sa.create_engine(os.environ["PG_URL"].replace("postgresql://", "postgresql+psycopg://"), pool_size=8)
with engine.begin() as db:
    db.execute(sa.text("drop table if exists alerts"))
    db.execute(sa.text("create table alerts(id int primary key, sent int)"))
    db.execute(sa.text("insert into alerts select n, 0 from generate_series(1, 20) n"))
stop = threading.Event()


def run():
    with sa.orm.Session(engine) as session:
        while not stop.is_set():
            session.execute(sa.text("update alerts set sent = sent + 1"))
            time.sleep(0.8)
            session.commit()


def acknowledge(number):
    begun = time.perf_counter()
    with engine.begin() as db:
        db.execute(sa.text("delete from alerts where id = :id"), {"id": number})
    took.append(round(time.perf_counter() - begun, 2))


import sqlalchemy.orm  # noqa: E402

took = []
threading.Thread(target=run, name="alert-engine", daemon=True).start()
for round_ in range(2):
    time.sleep(0.2)
    web = [threading.Thread(target=acknowledge, args=(round_ * 3 + n,), name=f"web-{n}") for n in range(1, 4)]
    for thread in web:
        thread.start()
    for thread in web:
        thread.join()
stop.set()
print("truth", took)
