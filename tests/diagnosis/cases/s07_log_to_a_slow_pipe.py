"""Threads log to a pipe that its reader empties slowly
(https://github.com/Delgan/loguru/issues/243).
truth: 4 threads `job-N` wait for the lock of the log handler; its holder stands in `write` to the pipe."""
import logging
import subprocess
import sys
import threading

READER = """
import sys, time
while sys.stdin.buffer.read1(16384): time.sleep(0.04)
"""
reader = subprocess.Popen([sys.executable, "-I", "-S", "-c", READER], stdin=subprocess.PIPE, text=True)
log = logging.getLogger("jobs")
log.addHandler(logging.StreamHandler(reader.stdin))
log.setLevel(logging.INFO)


def run(number):
    for step in range(60):
        log.info("job %s step %s %s", number, step, "x" * 2000)


threads = [threading.Thread(target=run, args=(n,), name=f"job-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
reader.stdin.close()
reader.wait()
