"""The file of a lock is left behind by a process that was killed; the next one asks for it again and again
(https://github.com/frappe/agent/pull/365).
truth: the first process makes `/tmp/…/deploy.lock` and is killed; `FileLock.acquire` sleeps 50 ms at a time for 1.5 s and gives up.
wanted: MainThread waited 1.5 s in `FileLock.acquire`, called in `deploy`, asleep 50 ms at a time, for a lock file that nobody gives back:
it was left by a process that was killed."""
import multiprocessing
import os
import signal
import tempfile
import time

PATH = os.path.join(tempfile.mkdtemp(), "deploy.lock")


class FileLock:
    def __init__(self, path, timeout):
        self.path, self.timeout = path, timeout

    def acquire(self):
        end = time.monotonic() + self.timeout
        while True:
            try:
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                return
            except FileExistsError:
                if time.monotonic() > end:
                    raise TimeoutError(self.path) from None
                time.sleep(0.05)

    def release(self):
        os.unlink(self.path)

    def __enter__(self):
        self.acquire()
        return self

    def __exit__(self, *exc):
        self.release()


def deploy(seconds):
    with FileLock(PATH, 1.5):
        time.sleep(seconds)


if __name__ == "__main__":
    first = multiprocessing.get_context("fork").Process(target=deploy, args=(5,), name="first")
    first.start()
    time.sleep(0.3)
    os.kill(first.pid, signal.SIGKILL)
    first.join()
    began = time.monotonic()
    try:
        deploy(0.1)
    except TimeoutError:
        print("truth: gave up after %.1f s" % (time.monotonic() - began))
