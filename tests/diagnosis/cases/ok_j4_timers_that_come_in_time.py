"""Healthy look-alike of y16, y17 and y20: a debounced save after each burst, a scheduler whose jobs come in order, and a
tool that flushes its lines."""
import sched, subprocess, sys, threading, time

TOOL = """
import time
for i in range(6):
    print("page", i, flush=True)
    time.sleep(0.05)
"""
timer = None


def save(done):
    done.set()


def changed(done):
    global timer
    if timer:
        timer.cancel()
    timer = threading.Timer(0.1, save, (done,))
    timer.start()


for burst in range(3):
    done = threading.Event()
    for _ in range(4):
        changed(done)
        time.sleep(0.02)
    done.wait()
jobs = sched.scheduler(time.monotonic, time.sleep)
for i in range(8):
    jobs.enter(0.05 * i, 1, print, ("tick", i))
jobs.run()
with subprocess.Popen([sys.executable, "-c", TOOL], stdout=subprocess.PIPE) as process:
    while line := process.stdout.readline():
        pass
