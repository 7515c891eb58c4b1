"""Processes poll for a lock file while one of them has it during a download
(https://github.com/inducer/pyopencl/pull/504).
truth: 3 threads sleep 20 ms at a time in `acquire` for some 1.2 s each; the holder sleeps in `download`."""
import os
import tempfile
import threading
import time

PATH = tempfile.mkdtemp() + "/cache.lock"


class FileLock:
    def __init__(self, path):
        self.path = path

    def acquire(self):
        while True:
            try:
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL))
                return
            except FileExistsError:
                time.sleep(0.02)

    __enter__ = acquire

    def __exit__(self, *args):
        os.remove(self.path)


def download(name):
    time.sleep(0.4)


def install(name):
    with FileLock(PATH):
        download(name)


threads = [threading.Thread(target=install, args=(f"pkg-{n}",), name=f"install-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
