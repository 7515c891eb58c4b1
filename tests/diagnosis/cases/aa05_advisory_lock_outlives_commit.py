"""A session-level advisory lock outlives the transaction that took it, and workers stand still at
their start (https://github.com/manavgup/wikimind/issues/668, goauthentik/authentik#23876).
truth: 4 `worker-N` wait up to 1 s in `pg_advisory_lock` in `migrate_once`, behind `worker-0`, which
has committed and is asleep in `download_schema`."""
import os
import threading
import time

import psycopg

URL = os.environ["PG_URL"]
taken = threading.Event()


def download_schema():
    time.sleep(1)


def migrate_once(first):
    with psycopg.connect(URL) as connection:
        connection.execute("select pg_advisory_lock(737069)")
        connection.commit()
        taken.set()
        if first:
            download_schema()
        connection.execute("select pg_advisory_unlock(737069)")
        connection.commit()


threads = [threading.Thread(target=migrate_once, args=(n == 0,), name=f"worker-{n}") for n in range(5)]
threads[0].start()
taken.wait()
for thread in threads[1:]:
    thread.start()
for thread in threads:
    thread.join()
