"""One condition for all devices: each message is for one of them, and wakes all
(https://github.com/doccaz/scc-tools/issues/26, https://github.com/DanielCollins/pgtq/issues/27).
truth: `MainThread` notifies all 40 `device-N` in `dispatch` for each of 1,500 messages; 39 look in `wait_for_message`,
find nothing and wait again, before the one that the message is for gets on.
"""

import random
import threading
import time

changed = threading.Condition()
boxes: list[list[int | None]] = [[] for _ in range(40)]
done = [0]


def wait_for_message(me: int) -> int | None:
    with changed:
        while not boxes[me]:
            changed.wait()
        return boxes[me].pop()


def run_device(me: int) -> None:
    while wait_for_message(me) is not None:
        sum(i * i for i in range(300))
        done[0] += 1


def put(to: int, message: int | None) -> None:
    with changed:
        boxes[to].append(message)
        changed.notify_all()


def dispatch(messages: int) -> None:
    chosen = random.Random(1)
    for number in range(messages):
        put(chosen.randrange(40), number)
        time.sleep(0.0005)


threads = [threading.Thread(target=run_device, args=(i,), name=f"device-{i}") for i in range(40)]
for thread in threads:
    thread.start()
dispatch(1500)
while done[0] < 1500:
    time.sleep(0.05)
for number in range(40):
    put(number, None)
for thread in threads:
    thread.join()
