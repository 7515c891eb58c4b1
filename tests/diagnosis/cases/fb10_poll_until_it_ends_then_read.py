"""The parent looks every 50 ms whether its child has ended, and would read its output then; the pipe is full
(https://thraxil.org/users/anders/posts/2008/03/13/Subprocess-Hanging-PIPE-is-your-enemy/).
truth: MainThread polls for 1.5 s in `run_script` for a child that stands in a write: nobody reads its 300 kB."""
import subprocess
import sys
import time


def run_script(limit):
    child = subprocess.Popen([sys.executable, "-S", "-c", "print('x' * 300_000)"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    end = time.monotonic() + limit
    while child.poll() is None:
        if time.monotonic() > end:
            print("truth gave up after", limit, "s")
            break
        time.sleep(0.05)
    out, _ = child.communicate()
    return len(out)


print(run_script(1.5))
