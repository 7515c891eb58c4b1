"""A signal handler takes an RLock while the main thread is just waiting for it; main waits for itself
(https://github.com/python/cpython/issues/144706).

truth: the handler `on_alarm` took `state` in the main thread in the middle of `main`'s own acquire and kept it, so
main waits for good for the lock that it holds itself.
"""
import os
import signal
import threading
import time

state = threading.RLock()


def on_alarm(signum: int, frame: object) -> None:
    state.acquire()  # nothing may change any more: the program is about to be paused


def writer() -> None:
    with state:
        time.sleep(0.6)


def watchdog() -> None:
    time.sleep(2.5)
    os._exit(0)


def main() -> None:
    signal.signal(signal.SIGALRM, on_alarm)
    threading.Thread(target=writer, name="writer").start()
    threading.Thread(target=watchdog, name="watchdog", daemon=True).start()
    time.sleep(0.1)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    with state:
        print("updated")


main()
