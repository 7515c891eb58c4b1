"""A keep-alive thread of each old connection goes on after the reconnect
(https://github.com/Rapptz/discord.py/issues/309).
truth: 20 threads `keep-alive-N` wait in `Event.wait` in `run` again and again; `resume` started them, none ends."""
import threading
import time


class KeepAlive(threading.Thread):
    count = 0

    def __init__(self, gateway, interval):
        super().__init__(name=f"keep-alive-{KeepAlive.count}", daemon=True)
        KeepAlive.count += 1
        self.gateway, self.interval, self.stopped = gateway, interval, threading.Event()

    def run(self):
        while not self.stopped.wait(self.interval):
            self.gateway.beats += 1


class Gateway:
    beats = 0

    def resume(self):
        self.keeper = KeepAlive(self, 0.15)
        self.keeper.start()


gateway = Gateway()
for _ in range(20):
    gateway.resume()
    time.sleep(0.06)
