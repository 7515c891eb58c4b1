"""The connection on which a worker listens is ended by the server; the worker takes that for "nothing yet" and
asks again at once (after https://github.com/artalis-io/hull/pull/273).
truth: after 0.5 s `wait_for_job` fails at once, each time; `worker` asks it some 10,000 times in 1.5 s, and
computes all the time."""
import os
import threading
import time

import psycopg

URL = os.environ["PG_URL"]
stop = threading.Event()
rounds = 0


def wait_for_job(connection):
    try:
        for notice in connection.notifies(timeout=0.3, stop_after=1):
            return notice.payload
    except psycopg.OperationalError:
        return None


def worker(connection):
    global rounds
    while not stop.is_set():
        job = wait_for_job(connection)
        rounds += 1
        if job:
            print("job", job)


def main():
    connection = psycopg.connect(URL, autocommit=True)
    connection.execute("listen jobs")
    pid = connection.info.backend_pid
    thread = threading.Thread(target=worker, args=(connection,), name="worker")
    thread.start()
    time.sleep(0.5)
    with psycopg.connect(URL, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s)", (pid,))
    time.sleep(1.5)
    stop.set()
    thread.join()
    print("truth rounds", rounds)


main()
