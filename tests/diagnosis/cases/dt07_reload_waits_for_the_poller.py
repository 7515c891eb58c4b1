"""Each reload stops a poller that sleeps between checks, and waits until it wakes
(https://github.com/closeio/redis-hashring/pull/22 stops a thread that polls).
truth: `MainThread` waits 5 times in `Poller.stop`, 0.2 s each, for a thread asleep in `Poller.poll`.
"""

import threading
import time


class Poller:
    def __init__(self) -> None:
        self.is_running = True
        self.thread = threading.Thread(target=self.poll, name="ring-poll")
        self.thread.start()

    def poll(self) -> None:
        while self.is_running:
            sum(range(1000))
            time.sleep(0.3)

    def stop(self) -> None:
        self.is_running = False
        self.thread.join()


poller = Poller()
for _ in range(5):
    time.sleep(1.02)
    poller.stop()
    poller = Poller()
poller.is_running = False
