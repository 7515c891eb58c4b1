"""Two transfers lock the same two rows in opposite order; PostgreSQL ends one of them after a
second (https://stackoverflow.com/questions/1069536, "deadlock detected").
truth: `transfer-0` and `transfer-1` wait 1 s for each other in `update` in `move`; one fails."""
import os
import threading

import psycopg

URL = os.environ["PG_URL"]
both = threading.Barrier(2)
failed = []


def move(source, target):
    with psycopg.connect(URL) as connection:
        connection.execute("update account set coins = coins - 1 where id = %s", (source,))
        both.wait()
        connection.execute("update account set coins = coins + 1 where id = %s", (target,))


def transfer(source, target):
    try:
        move(source, target)
    except psycopg.errors.DeadlockDetected:
        failed.append(1)


with psycopg.connect(URL) as connection:
    connection.execute("create table account(id int primary key, coins int)")
    connection.execute("insert into account values (1, 10), (2, 10)")
threads = [
    threading.Thread(target=transfer, args=pair, name=f"transfer-{n}")
    for n, pair in enumerate([(1, 2), (2, 1)])
]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("truth:", len(failed), "failed")
