"""threading under gevent's patches: each pair of threads meets at one lock, or the like."""

from gevent import monkey

monkey.patch_all()

import queue  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402


def run(*targets: Callable[[], object]) -> None:
    """Each begins after the one before waits for something."""
    made = [threading.Thread(target=target, name=target.__name__) for target in targets]
    for each in made:
        each.start()
        for _ in range(3):
            time.sleep(0)
    for each in made:
        each.join()


def locks() -> None:
    lock, rlock, turn = threading.Lock(), threading.RLock(), threading.Event()

    def holds_lock() -> None:
        with lock:
            turn.wait()

    def waits_lock() -> None:
        with lock:
            pass

    def holds_rlock() -> None:
        with rlock, rlock:
            turn.wait()

    def waits_rlock() -> None:
        with rlock:
            pass

    run(holds_lock, waits_lock, holds_rlock, waits_rlock, turn.set)


def signals() -> None:
    changed, event = threading.Condition(), threading.Event()
    permits, items = threading.Semaphore(0), queue.Queue[int](1)

    def waits_condition() -> None:
        with changed:
            changed.wait()

    def notifies() -> None:
        with changed:
            changed.notify()

    def waits_event() -> None:
        event.wait()

    def sets() -> None:
        event.set()

    def waits_permit() -> None:
        permits.acquire()

    def releases() -> None:
        permits.release()

    def gets() -> None:
        items.get()

    def puts() -> None:
        items.put(1)
        items.put(2)
        items.put(3)

    def gets_more() -> None:
        items.get()
        items.get()

    run(waits_condition, notifies)
    run(waits_event, sets)
    run(waits_permit, releases)
    run(gets, puts, gets_more)


locks()
signals()
