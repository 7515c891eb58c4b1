"""A thread schedules work through the port of an engine that does not run any more; the port is full
(https://github.com/clustershell/clustershell/issues/145).
truth: `submitter` waits in Queue.put in `Port.send` from 0.2 s to the end (1.6 s): `engine`, the only thread that read the port, ended at 0.15 s."""
import queue
import threading
import time


class Port:
    def __init__(self):
        self.messages = queue.Queue(maxsize=20)

    def send(self, message):
        self.messages.put(message)


class Engine:
    def __init__(self):
        self.port, self.done = Port(), 0

    def run(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.port.messages.get(timeout=0.02)
            except queue.Empty:
                continue
            self.done += 1
            time.sleep(0.002)


def schedule(engine):
    for n in range(200):
        engine.port.send(("worker", n))
        time.sleep(0.001)


engine = Engine()
runner = threading.Thread(target=engine.run, args=(0.15,), name="engine")
submitter = threading.Thread(target=schedule, args=(engine,), name="submitter", daemon=True)
runner.start()
submitter.start()
runner.join()
submitter.join(1.5)
print("truth", "blocked" if submitter.is_alive() else "done", engine.done)
