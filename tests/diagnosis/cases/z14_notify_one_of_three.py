"""notify() where several wait for one change: one goes on, the others sleep until their time-out.
truth: `load` calls notify() once though three threads wait for the configuration in `wait_ready`: two of them
sleep on until their time-out of 2 s."""
import threading
import time


class Config:
    def __init__(self):
        self.changed = threading.Condition()
        self.values = None

    def wait_ready(self, timeout):
        with self.changed:
            if self.values is None:
                self.changed.wait(timeout)
            return self.values

    def load(self):
        time.sleep(0.3)
        with self.changed:
            self.values = {"workers": 4}
            self.changed.notify()


def service(config, n, started):
    t = time.monotonic()
    config.wait_ready(2)
    started.append((n, round(time.monotonic() - t, 2)))
    for _ in range(5):
        sum(range(5000))
        time.sleep(0.02)


config, started = Config(), []
threads = [threading.Thread(target=service, args=(config, n, started), name=f"service-{n}") for n in range(3)]
threads.append(threading.Thread(target=config.load, name="loader"))
for t in threads:
    t.start()
for t in threads:
    t.join()
print(started)
