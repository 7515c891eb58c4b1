"""Jobs of several processes queue for one lock file that is locked during slow work
(https://github.com/datamade/scrapers-us-municipal/issues/3).
truth: 4 processes; `update_index` has the lock for 250 ms, asleep in `scrape`; others wait in flock."""
import fcntl
import multiprocessing
import os
import tempfile
import time


def scrape():
    time.sleep(0.25)


def update_index(path):
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        scrape()
        fcntl.flock(file, fcntl.LOCK_UN)


if __name__ == "__main__":
    path = os.path.join(tempfile.mkdtemp(), "index.lock")
    context = multiprocessing.get_context("fork")
    jobs = [context.Process(target=update_index, args=(path,)) for _ in range(4)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()
