"""A task of trio takes a lock file with flock, while a thread keeps it for long
(after reports of lock files in asynchronous programs).
truth: `update_index` blocks the loop for 0.6 s in flock; 5 `reader` are late."""
import fcntl
import tempfile
import threading
import time

import trio

PATH = tempfile.mkstemp()[1]


def backup(taken):
    with open(PATH, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        taken.set()
        time.sleep(0.7)


async def update_index():
    await trio.sleep(0.05)
    with open(PATH, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("x")


async def reader():
    for _ in range(30):
        await trio.sleep(0.02)


async def main():
    taken = threading.Event()
    threading.Thread(target=backup, args=(taken,), name="backup").start()
    await trio.to_thread.run_sync(taken.wait)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(update_index)
        for _ in range(5):
            nursery.start_soon(reader)


trio.run(main)
