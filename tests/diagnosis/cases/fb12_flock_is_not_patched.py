"""All greenlets stand while one waits for a file lock that another process has: flock is not patched
(https://github.com/reddit/baseplate.py/issues/200).
truth: `save_stats` blocks the hub 1 s in fcntl.flock, whose lock a child has; `serve` is 1 s late."""
from gevent import monkey

monkey.patch_all()

import fcntl
import subprocess
import sys
import tempfile
import time

import gevent

HOLDER = """
import fcntl, sys, time
with open(sys.argv[1], "w") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("locked", flush=True)
    time.sleep(1.2)
"""
late = []


def save_stats(path):
    gevent.sleep(0.2)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("stats")


def serve():
    for _ in range(25):
        began = time.monotonic()
        gevent.sleep(0.02)
        late.append(time.monotonic() - began - 0.02)


def main():
    with tempfile.NamedTemporaryFile() as file:
        child = subprocess.Popen([sys.executable, "-c", HOLDER, file.name], stdout=subprocess.PIPE)
        child.stdout.readline()
        gevent.joinall([gevent.spawn(save_stats, file.name)] + [gevent.spawn(serve) for _ in range(4)])
        child.wait()
    print("truth", round(max(late), 2))


main()
