"""As dt07, with an event that the poller waits for; and workers that finish what they have begun."""

import queue
import threading
import time


class Poller:
    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.poll, name="ring-poll")
        self.thread.start()

    def poll(self) -> None:
        while not self.stopped.wait(0.3):
            sum(range(1000))

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join()


items: "queue.Queue[int | None]" = queue.Queue()


def work() -> None:
    while items.get() is not None:
        time.sleep(0.4)


workers = [threading.Thread(target=work, name=f"worker-{i}") for i in range(2)]
for worker in workers:
    worker.start()
poller = Poller()
for number in range(8):
    items.put(number)
    time.sleep(0.2)
    if number % 3 == 2:
        poller.stop()
        poller = Poller()
for _ in workers:
    items.put(None)
for worker in workers:
    worker.join()
poller.stop()
