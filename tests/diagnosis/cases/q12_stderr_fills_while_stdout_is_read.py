"""The parent reads stdout to its end while the child has filled the pipe of stderr
(as the documentation of subprocess warns).
truth: main waits 1.2 s in `read` of stdout in `run_linter`; the child stands in `write` to stderr, which nobody reads."""
import subprocess
import sys
import threading

CHILD = """
import sys
for number in range(3000):
    print("warning: line", number, "is too long", file=sys.stderr)
print("done")
"""


def run_linter():
    process = subprocess.Popen([sys.executable, "-I", "-S", "-c", CHILD],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    watchdog = threading.Timer(1.2, process.kill)
    watchdog.start()
    found = process.stdout.read()
    watchdog.cancel()
    process.stderr.close()
    process.wait()
    return found


run_linter()
