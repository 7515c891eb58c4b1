"""Three processes append to one file under a file lock, 2 ms each, with work of their own between: nothing is wrong. Needs filelock."""
import multiprocessing as mp
import os
import tempfile
import time

from filelock import FileLock


def append(root, name):
    for n in range(25):
        with FileLock(os.path.join(root, "log.lock"), poll_interval=0.005):
            with open(os.path.join(root, "log"), "a") as file:
                file.write(f"{name} {n}\n")
            time.sleep(0.002)
        time.sleep(0.02)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as root:
        ctx = mp.get_context("fork")
        writers = [ctx.Process(target=append, args=(root, f"w{n}")) for n in range(3)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
