"""A pool of three connections that calls `notify_all` for each one given back
(https://github.com/nanomsg/nng/pull/54 tells the same of threads that wait for tasks).
truth: 40 threads `request-N` share 3 connections, each kept for 20 ms asleep in `query`; the GIL is not the fault.
"""

import threading
import time

changed = threading.Condition()
free = [1, 2, 3]


def take() -> int:
    with changed:
        while not free:
            changed.wait()
        return free.pop()


def give_back(connection: int) -> None:
    with changed:
        free.append(connection)
        changed.notify_all()


def query(connection: int) -> None:
    time.sleep(0.02)


def serve() -> None:
    for _ in range(8):
        connection = take()
        query(connection)
        give_back(connection)


threads = [threading.Thread(target=serve, name=f"request-{i}") for i in range(40)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
