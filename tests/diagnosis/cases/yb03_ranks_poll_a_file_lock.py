"""Four processes load one dataset: the first has the file lock over its download, the others poll for it (huggingface/datasets#3983, huggingface/transformers#7347). Needs filelock.
truth: rank-1 to rank-3 poll ~1 s each in `load_dataset` for the lock that rank-0 has, asleep in `download`."""
import multiprocessing as mp
import os
import tempfile
import time

from filelock import FileLock


def download(path):
    for _ in range(10):
        time.sleep(0.1)
    with open(path, "w") as file:
        file.write("rows")


def load_dataset(root):
    start = time.perf_counter()
    with FileLock(os.path.join(root, "data.lock")):
        print(f"truth waited {(time.perf_counter() - start) * 1e3:.0f} ms")
        path = os.path.join(root, "data")
        if not os.path.exists(path):
            download(path)
    return open(path).read()


def rank_main(root, rank):
    time.sleep(0.05 * bool(rank))
    load_dataset(root)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root:
        ctx = mp.get_context("fork")
        ranks = [
            ctx.Process(target=rank_main, args=(root, n), name=f"rank-{n}") for n in range(4)
        ]
        for rank in ranks:
            rank.start()
        for rank in ranks:
            rank.join()
