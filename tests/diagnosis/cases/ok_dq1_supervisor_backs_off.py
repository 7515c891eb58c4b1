"""HEALTHY: a supervisor starts its worker again when it ends, with a pause that grows; the worker works for a while."""
import multiprocessing
import time


def worker():
    for _ in range(4):
        time.sleep(0.1)


def keep_running(seconds):
    context, starts, end, pause = multiprocessing.get_context("fork"), 0, time.monotonic() + seconds, 0.05
    while time.monotonic() < end:
        child = context.Process(target=worker, name="worker")
        child.start()
        child.join()
        starts += 1
        time.sleep(pause)
    return starts


if __name__ == "__main__":
    print("truth: %d starts in 2 s" % keep_running(2.0))
