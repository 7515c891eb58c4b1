"""Jobs are inserted and committed, but the NOTIFY is sent on a session that commits only later (autobegin):
the worker finds each job when its own time-out is over (after https://github.com/procrastinate-org/procrastinate,
LISTEN/NOTIFY best effort).
truth: `worker` waits its whole 0.6 s in `notifies` each time though a job is there since some ms; callers
wait in `done.wait` about 0.5 s each."""
import os
import threading
import time

import psycopg

URL = os.environ["PG_URL"]
stop = threading.Event()
done = {n: threading.Event() for n in range(4)}
took = []


def wait_for_notice(connection):
    for _ in connection.notifies(timeout=0.6, stop_after=1):
        pass


def worker():
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute("listen job_added")
        while not stop.is_set():
            wait_for_notice(connection)
            for (n,) in connection.execute("delete from waiting_job returning n").fetchall():
                done[n].set()


def enqueue(connection, notifier, n):
    begun = time.monotonic()
    connection.execute("insert into waiting_job values (%s)", (n,))
    notifier.execute("notify job_added")
    done[n].wait()
    took.append(round(time.monotonic() - begun, 2))


def main():
    connection = psycopg.connect(URL, autocommit=True)
    connection.execute("drop table if exists waiting_job")
    connection.execute("create table waiting_job(n int)")
    notifier = psycopg.connect(URL)
    thread = threading.Thread(target=worker, name="worker")
    thread.start()
    time.sleep(0.1)
    for n in range(4):
        enqueue(connection, notifier, n)
    stop.set()
    thread.join()
    print("truth took", took)


main()
