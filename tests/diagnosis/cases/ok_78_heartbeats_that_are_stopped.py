"""HEALTHY: each connection has a heartbeat thread, which ends with the connection."""
import threading
import time


class Connection:
    def __init__(self):
        self.closed = threading.Event()
        self.beats = 0
        self.thread = threading.Thread(target=self.beat)
        self.thread.start()

    def beat(self):
        while not self.closed.wait(0.05):
            self.beats += 1

    def close(self):
        self.closed.set()
        self.thread.join()


for _ in range(20):
    connection = Connection()
    time.sleep(0.06)
    connection.close()
