"""The parent writes all input before it reads, and the child writes while it reads
(https://docs.python.org/3/library/subprocess.html#subprocess.Popen.stdin warns of it).
truth: `filter_text` stands in write, the child in write, too, until it is killed after 1.2 s."""
import subprocess
import sys
import threading

CHILD = "import sys\nfor line in sys.stdin:\n    sys.stdout.write(line)\n"


def filter_text(data):
    child = subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    timer = threading.Timer(1.2, child.kill)
    timer.start()
    try:
        child.stdin.write(data)
        child.stdin.close()
    except BrokenPipeError:
        print("truth the child was killed")
    found = child.stdout.read()
    timer.cancel()
    return found


filter_text(b"some text\n" * 100_000)
