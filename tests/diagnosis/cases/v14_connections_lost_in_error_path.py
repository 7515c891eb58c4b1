"""A worker gives its psycopg connection back only when the message was good: `getconn` without
`putconn` after an error (https://github.com/psycopg/psycopg/issues/509 and others).
truth: 3 of 3 connections were taken in `import_order` by messages that failed in `parse`; then
`import_order` waits 0.8 s for each message and fails."""
import os
import queue
import threading
import time

from psycopg_pool import ConnectionPool, PoolTimeout

messages = queue.Queue()
failed = []


def parse(message):
    if message % 7 == 6:
        raise ValueError("no price")
    return message * 2


def import_order(pool, message):
    connection = pool.getconn(timeout=0.8)
    connection.execute("select %s::int", (message,))
    value = parse(message)
    connection.execute("select %s::int", (value,))
    connection.commit()
    pool.putconn(connection)


def work(pool):
    while (message := messages.get()) is not None:
        try:
            import_order(pool, message)
        except ValueError:
            pass
        except PoolTimeout:
            failed.append(message)


def main():
    with ConnectionPool(os.environ["PG_URL"], min_size=3, max_size=3, open=True) as pool:
        pool.wait()
        workers = [threading.Thread(target=work, args=(pool,), name=f"importer-{n}") for n in range(2)]
        for one in workers:
            one.start()
        for message in range(27):
            messages.put(message)
            time.sleep(0.02)
        for _ in workers:
            messages.put(None)
        for one in workers:
            one.join()
    print("truth", len(failed), "failed")


main()
