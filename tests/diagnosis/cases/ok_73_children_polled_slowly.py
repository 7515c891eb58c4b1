"""HEALTHY: a supervisor looks after its children five times a second, and main waits for it."""
import subprocess
import sys
import threading
import time


class Supervisor(threading.Thread):
    def __init__(self, count):
        super().__init__(name="supervisor")
        command = [sys.executable, "-I", "-S", "-c", "import time; time.sleep(0.7)"]
        self.children = [subprocess.Popen(command) for _ in range(count)]

    def run(self):
        while any(child.poll() is None for child in self.children):
            time.sleep(0.2)


supervisor = Supervisor(3)
supervisor.start()
supervisor.join()
