"""The condition's lock is held during a download, so that nobody can even look.
After https://github.com/jhamill34/api-tools/issues/28 and reports like it. `updater` holds
the Condition around `download` (0.25 s); `reader-N` wait for it in `current`."""

import threading
import time


class Config:
    def __init__(self):
        self.changed = threading.Condition()
        self.value = 0
        self.stopped = False

    def download(self):
        time.sleep(0.25)
        return self.value + 1

    def update(self):
        while not self.stopped:
            with self.changed:
                self.value = self.download()
                self.changed.notify_all()
            time.sleep(0.03)

    def current(self):
        with self.changed:
            return self.value


config, slow = Config(), []


def reader():
    until = time.monotonic() + 2
    while time.monotonic() < until:
        began = time.monotonic()
        config.current()
        slow.append(time.monotonic() - began)
        time.sleep(0.02)


updater = threading.Thread(target=config.update, name="updater")
updater.start()
readers = [threading.Thread(target=reader, name=f"reader-{n}") for n in range(4)]
for r in readers:
    r.start()
for r in readers:
    r.join()
config.stopped = True
updater.join()
print(f"{len(slow)} reads, slowest {max(slow):.2f} s")
