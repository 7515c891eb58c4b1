"""Processes take a lock on a file while they fetch, and go one by one
(https://github.com/Arelle/Arelle/pull/1229).
truth: 4 processes wait in `lockf` in `update`; whoever has the lock sleeps 0.25 s in `fetch`."""
import fcntl
import multiprocessing
import os
import tempfile
import time

PATH = os.path.join(tempfile.mkdtemp(), "index.lock")


def fetch(package):
    time.sleep(0.25)
    return package


def update(package):
    with open(PATH, "w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        try:
            fetch(package)
        finally:
            fcntl.lockf(lock, fcntl.LOCK_UN)


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=update, args=(n,), name=f"update-{n}") for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
