"""Workers of a job service wait for a table that another program has locked
(after https://github.com/psycopg/psycopg2/issues/1654).
truth: 5 workers stand in `claim` for 1.2 s, and all go on at the same moment."""
import glob
import os
import shutil
import subprocess
import threading
import time

import psycopg

URL = os.environ["PG_URL"]
PSQL = shutil.which("psql") or glob.glob("/usr/lib/postgresql/*/bin/psql")[-1]


def work(n):
    with psycopg.connect(URL, autocommit=True) as connection:
        for _ in range(40):
            claim(connection, n)
            time.sleep(0.03)


def claim(connection, n):
    with connection.transaction():
        row = connection.execute("select id from job where taken is null limit 1 for update skip locked").fetchone()
        if row:
            connection.execute("update job set taken = %s where id = %s", (n, row[0]))


def main():
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("create table job(id serial primary key, taken int)")
        connection.execute("insert into job(taken) select null from generate_series(1, 200)")
    threads = [threading.Thread(target=work, args=(n,), name=f"worker-{n}") for n in range(5)]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    sql = "begin; lock table job in access exclusive mode; select pg_sleep(1.2); commit;"
    subprocess.run([PSQL, URL, "-qc", sql], check=True, stdout=subprocess.DEVNULL)
    for thread in threads:
        thread.join()


main()
