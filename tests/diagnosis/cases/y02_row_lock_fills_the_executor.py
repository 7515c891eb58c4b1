"""Jobs of an executor wait for a row that another job keeps locked while it asks a bank: soon all workers
wait there, and further jobs wait for a worker (after reports of workers "stuck" in an `update`).
truth: the row is locked 4 times for 0.25 s in `settle`, which is asleep in `ask_bank`; `charge` waits for it;
the jobs that wait for a worker wait because of it."""
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg

URL = os.environ["PG_URL"]
LOCK = "select * from account where id = 1 for update"


def ask_bank():
    time.sleep(0.25)


def settle():
    with psycopg.connect(URL) as db:
        db.execute(LOCK)
        ask_bank()
        db.execute("update account set amount = 0 where id = 1")


def charge():
    with psycopg.connect(URL) as db:
        db.execute("update account set amount = 1 where id = 1")


with psycopg.connect(URL) as setup:
    setup.execute("create table account (id int primary key, amount int)")
    setup.execute("insert into account values (1, 0)")
before = time.monotonic()
with ThreadPoolExecutor(4, thread_name_prefix="jobs") as pool:

    def requests():
        for _ in range(2):
            pool.submit(settle)
            for _ in range(4):
                pool.submit(charge)
            time.sleep(0.02)

    callers = [threading.Thread(target=requests, name=f"caller-{n}") for n in range(2)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
print("truth", f"all was done after {time.monotonic() - before:.1f} s")
