"""A supervisor starts its worker again as soon as it ends, and the worker fails at its start each time
(https://github.com/Supervisor/supervisor/issues/1387, crash loops).
truth: `keep_running` starts a process 60 times in 2 s; each fails in `load_config` with a KeyError; no pause between two starts.
wanted: busy loop / retries: `keep_running` starts `worker` again and again, 60 times in 2 s, without a pause; each ends at once with status 1."""
import multiprocessing
import sys
import time


def load_config():
    return {}["DATABASE_URL"]


def worker():
    sys.stderr = None
    load_config()
    while True:
        time.sleep(1)


def keep_running(seconds):
    context, starts, end = multiprocessing.get_context("fork"), 0, time.monotonic() + seconds
    while time.monotonic() < end:
        child = context.Process(target=worker, name="worker")
        child.start()
        child.join()
        starts += 1
    return starts


if __name__ == "__main__":
    print("truth: %d starts in 2 s" % keep_running(2.0))
