"""CLEAN: six views ask huey for a result, and there are six workers."""

import threading
import time

from huey import MemoryHuey
from huey.consumer import Consumer

huey = MemoryHuey("docs")


def render(n):
    time.sleep(0.3)
    return b"%PDF" * n


@huey.task()
def pdf(n):
    return len(render(n))


def make_pdf(n):
    return pdf(n)(blocking=True, timeout=5)


def view(i, took):
    for k in range(5):
        began = time.monotonic()
        make_pdf(i + k + 1)
        took.append(time.monotonic() - began)


def main():
    consumer = Consumer(
        huey, workers=6, periodic=False, initial_delay=0.02, backoff=1.15, max_delay=0.2
    )
    consumer._set_signal_handlers = lambda: None
    consumer.start()
    took = []
    ts = [threading.Thread(target=view, args=(i, took), name=f"view-{i}") for i in range(6)]
    for t in ts:
        t.start()
    for t in ts:
        t.join()
    consumer.stop()
    print("truth took", [round(t, 2) for t in took])


if __name__ == "__main__":
    main()
