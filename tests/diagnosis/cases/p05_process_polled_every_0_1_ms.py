"""A tool asks its children 10,000 times a second whether they have ended
(https://github.com/include-what-you-use/include-what-you-use/issues/1995).
truth: MainThread sleeps 0.1 ms again and again in `execute`, for 1.2 s, for 4 children."""
import subprocess
import sys
import time


class Invocation:
    def __init__(self, seconds):
        code = f"import time; time.sleep({seconds})"
        self.process = subprocess.Popen([sys.executable, "-I", "-S", "-c", code])

    def is_done(self):
        return self.process.poll() is not None


def execute(seconds, limit):
    waiting, running = list(seconds), []
    while waiting or running:
        running = [one for one in running if not one.is_done()]
        while waiting and len(running) < limit:
            running.append(Invocation(waiting.pop()))
        time.sleep(0.0001)


execute([0.5] * 4, 2)
