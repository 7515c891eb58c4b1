"""Children are reaped in the order of their start, and the first one is slow.
After https://github.com/dropbox/pyannotate/issues/67 and reports like it.

truth: `MainThread` waits 1.3 s in os.waitpid in `reap` for the child asleep in `work`."""
import os, time
def work(n): time.sleep(1.4 if n == 0 else 0.05)
def start(n):
    pid = os.fork()
    if pid == 0:
        work(n); os._exit(0)
    return pid
def reap(pids):
    for pid in pids: os.waitpid(pid, 0)
reap([start(n) for n in range(4)])
