"""One lock between processes around every download: only one process works at a time
(https://github.com/OGGM/oggm/pull/104).
truth: 3 processes `tile-N` wait for the lock in `fetch_tile`; whoever has it is asleep in `download`, 0.15 s each time."""
import multiprocessing as mp, time


def download(i):
    time.sleep(0.15)
    return i


def fetch_tile(lock, i):
    with lock:
        return download(i)


def work(lock, name):
    for i in range(3):
        fetch_tile(lock, i)


if __name__ == "__main__":
    c = mp.get_context("fork")
    lock = c.Lock()
    began = time.monotonic()
    ps = [c.Process(target=work, args=(lock, i), name=f"tile-{i}") for i in range(4)]
    for p in ps:
        p.start()
    for p in ps:
        p.join()
    print("truth: took", time.monotonic() - began, "instead of 0.45")
