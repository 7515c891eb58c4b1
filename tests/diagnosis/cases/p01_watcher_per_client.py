"""A watcher thread is started for each client and never stopped
(https://github.com/kragniz/python-etcd3/issues/291).
truth: 30 clients are made in `handle_request`; 30 threads wait in `Condition.wait` in `run` at the end."""
import threading
import time


class Watcher(threading.Thread):
    def __init__(self):
        super().__init__(daemon=True)
        self.changed = threading.Condition()
        self.callbacks = {}

    def run(self):
        with self.changed:
            while True:
                self.changed.wait()


class Client:
    def __init__(self):
        self.watcher = Watcher()
        self.watcher.start()

    def get(self, key):
        time.sleep(0.02)
        return key


def handle_request(number):
    return Client().get(f"key-{number}")


for number in range(30):
    handle_request(number)
print(threading.active_count())
