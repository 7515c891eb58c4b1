"""HEALTHY: tools run as children and lock a file for 3 ms now and then; the parent locks it, too, and waits for
them without the lock."""
import fcntl
import subprocess
import sys
import tempfile
import time

TOOL = """
import fcntl, sys, time
for _ in range(8):
    time.sleep(0.06)
    with open(sys.argv[1], "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("x"); time.sleep(0.003)
"""


def main():
    with tempfile.NamedTemporaryFile() as index:
        tools = [subprocess.Popen([sys.executable, "-c", TOOL, index.name]) for _ in range(3)]
        with open(index.name, "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.write("parent")
            time.sleep(0.01)
        for tool in tools:
            tool.wait(30)


main()
