"""The producer notifies only when the deque is full; it stops before that
(https://pythontic.com/multithreading/condition/wait).

truth: `consume` waits in `Condition.wait` until its time-out of 2 s though three items are there: `produce` put them
without `notify`.
"""
import collections
import threading
import time

items: "collections.deque[int]" = collections.deque(maxlen=5)
changed = threading.Condition()


def produce() -> None:
    for number in range(3):
        with changed:
            items.append(number)
            if len(items) == items.maxlen:
                changed.notify()
        time.sleep(0.05)


def consume() -> None:
    with changed:
        changed.wait(2.0)
        print(len(items))


def main() -> None:
    consumer = threading.Thread(target=consume, name="consumer")
    consumer.start()
    time.sleep(0.05)
    producer = threading.Thread(target=produce, name="producer")
    producer.start()
    producer.join()
    consumer.join()


main()
