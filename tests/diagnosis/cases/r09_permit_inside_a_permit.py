"""A job with a permit starts a part that needs a permit of the same semaphore
(https://github.com/dask/distributed/issues/1078).
truth: 2 permits; both threads `copy` have one in `copy_tree` and wait 1 s for another in `copy_file`."""
import threading

permits = threading.Semaphore(2)
together = threading.Barrier(2)


def copy_file(name):
    if permits.acquire(timeout=1):
        permits.release()
        return name
    return None


def copy_tree(name):
    with permits:
        together.wait()
        return copy_file(f"{name}/a")


threads = [threading.Thread(target=copy_tree, args=(f"tree{n}",), name=f"copy-{n}") for n in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
