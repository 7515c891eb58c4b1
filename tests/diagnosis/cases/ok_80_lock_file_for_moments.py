"""HEALTHY: threads take a lock file for moments, and seldom at the same time."""
import os
import tempfile
import threading
import time

PATH = tempfile.mkdtemp() + "/state.lock"


class FileLock:
    def acquire(self):
        while True:
            try:
                os.close(os.open(PATH, os.O_CREAT | os.O_EXCL))
                return self
            except FileExistsError:
                time.sleep(0.005)

    __enter__ = acquire

    def __exit__(self, *args):
        os.remove(PATH)


def work():
    for _ in range(40):
        with FileLock():
            pass
        time.sleep(0.02)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
