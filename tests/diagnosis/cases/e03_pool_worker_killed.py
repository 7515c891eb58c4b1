"""A worker of multiprocessing.Pool is killed in the middle of its job: map waits for ever
(https://github.com/mapillary/OpenSfM/issues/190).
truth: `get` of `reconstruct` waits 1.5 s in vain for the job of a worker that SIGKILL ended."""
import multiprocessing
import os
import signal
import time


def undistort(n):
    if n == 2:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does when memory is short
    time.sleep(0.02)
    return n


def reconstruct(pool):
    try:
        return pool.map_async(undistort, range(4), chunksize=1).get(timeout=1.5)
    except multiprocessing.TimeoutError:
        return "gave up"


if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    pool = context.Pool(2)
    print("truth", reconstruct(pool))
    pool.terminate()
