"""As dt01, with a condition for each device: nobody is woken in vain."""

import random
import threading
import time

changed = [threading.Condition() for _ in range(40)]
boxes: list[list[int | None]] = [[] for _ in range(40)]


def run_device(me: int) -> None:
    while True:
        with changed[me]:
            while not boxes[me]:
                changed[me].wait()
            if boxes[me].pop() is None:
                return
        sum(i * i for i in range(300))


def put(to: int, message: int | None) -> None:
    with changed[to]:
        boxes[to].append(message)
        changed[to].notify()


def dispatch(messages: int) -> None:
    chosen = random.Random(1)
    for number in range(messages):
        put(chosen.randrange(40), number)
        time.sleep(0.0005)


threads = [threading.Thread(target=run_device, args=(i,), name=f"device-{i}") for i in range(40)]
for thread in threads:
    thread.start()
dispatch(1500)
for number in range(40):
    put(number, None)
for thread in threads:
    thread.join()
