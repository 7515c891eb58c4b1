"""`notify` wakes a thread that waits for something else, and the right one sleeps on
(https://github.com/python/cpython/issues/77022 has a sibling of it).
truth: `writer` slept its 1.5 s time-out though there was room from 0.1 s on."""
import threading
import time

condition = threading.Condition()
room = False


def wait_for_items():
    with condition:
        condition.wait(timeout=2.0)  # woken, finds no item, and waits no longer


def wait_for_room():
    with condition:
        condition.wait_for(lambda: room, timeout=1.5)


reader = threading.Thread(target=wait_for_items, name="reader")
reader.start()
time.sleep(0.05)
writer = threading.Thread(target=wait_for_room, name="writer")
writer.start()
time.sleep(0.05)
with condition:
    room = True
    condition.notify()
for thread in (reader, writer):
    thread.join()
