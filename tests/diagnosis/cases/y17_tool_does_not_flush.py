"""The output of a child is a pipe, so its lines stay in its buffer until it ends
(https://lucadrf.dev/blog/python-subprocess-buffers).
truth: MainThread waits 1.2 s in `readline` in `follow`, though the child had printed its first line after 0.05 s:
the child writes all at once, when it ends; `print(…, flush=True)` or `python -u`."""
import os, subprocess, sys, time

os.environ.pop("PYTHONUNBUFFERED", None)
TOOL = """
import time
def convert():
    time.sleep(0.1)
for i in range(12):
    print("page", i)
    convert()
"""


def follow(process):
    times = []
    began = time.monotonic()
    while line := process.stdout.readline():
        times.append(time.monotonic() - began)
    print("truth: first line after", times[0], "last after", times[-1])


with subprocess.Popen([sys.executable, "-c", TOOL], stdout=subprocess.PIPE) as process:
    follow(process)
