"""A forked child writes its results to a pipe, and the parent waits for its end first.
After https://github.com/n8n-io/n8n/pull/19084.

truth: `MainThread` waits in os.waitpid in `collect`; the child stands in os.write of a pipe that nobody reads."""
import os, signal, time
def report(w): os.write(w, b"x" * 300_000)
def collect():
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        signal.alarm(2)
        report(w); os._exit(0)
    os.close(w)
    os.waitpid(pid, 0)
    return os.read(r, 1000)
collect()
