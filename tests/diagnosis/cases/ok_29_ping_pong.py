"""CLEAN: two threads take turns by a condition; each works for 20 ms."""
import threading
import time

turn, condition = [0], threading.Condition()


def play(me):
    for _ in range(25):
        with condition:
            condition.wait_for(lambda: turn[0] == me)
        time.sleep(0.02)
        with condition:
            turn[0] = 1 - me
            condition.notify_all()


threads = [threading.Thread(target=play, args=(n,), name=f"player-{n}") for n in range(2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
