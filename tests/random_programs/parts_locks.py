"""Parts: threads that wait for locks, and for things built on locks."""

import threading
from dataclasses import dataclass
from typing import Any

from tests.random_programs.kit import Kit, Waiting, now, tid

WAITING = "waiter.acquire("  # the line of threading.Condition.wait that blocks
JOINING = ("lock.acquire(block", "self._handle.join(")  # of Thread.join: 3.12, 3.13
TAKING = ("lock.acquire(", "lock.__enter__(", "with lock:")
SHORT_S = 0.003  # a time-out that expires


@dataclass
class Turn:
    """One thread's time with a lock."""

    tid: int
    took_ns: int
    woke_ns: int = 0
    woken_ns: int = 0


def lock(kit: Kit) -> object:
    """One thread holds the lock, others wait; each passes it on to the next."""
    kind = kit.random.choice(("Lock", "RLock"))
    lock: Any = getattr(threading, kind)()
    how = kit.random.randrange(4)
    waits = [kit.lock_wait(kind) for _ in range(kit.random.randrange(1, 4))]
    turns: list[Turn] = []  # appended to with the lock held
    taken, free = threading.Event(), threading.Event()

    def take() -> None:
        if how == 0:
            lock.acquire()
        elif how == 1:
            lock.acquire(timeout=600)
        elif how == 2:
            lock.acquire(True)
        else:
            lock.__enter__()

    def give(turn: Turn) -> None:
        turn.woke_ns = now()
        lock.release()
        turn.woken_ns = now()

    def holds() -> None:
        take()
        turns.append(Turn(tid(), now()))
        taken.set()
        free.wait()
        give(turns[0])

    def waiter(wait: Waiting) -> None:
        taken.wait()
        kit.pause()
        with wait:
            take()
        turn = Turn(tid(), now())
        turns.append(turn)
        kit.pause()
        if kind == "RLock":
            with lock:
                kit.pause()
        give(turn)

    threads = [kit.thread(holds), *(kit.thread(waiter, wait) for wait in waits)]
    for wait in waits:
        kit.asleep(wait, *TAKING)
    free.set()
    for thread in threads:
        thread.join()
    for number, turn in enumerate(turns[1:], 1):
        before = turns[number - 1]
        (wait,) = (each for each in waits if each.row.tid == turn.tid)
        wait.row.owner, wait.row.waker = turns[0].tid, before.tid
        wait.row.woke_ns, wait.row.woken_ns = before.woke_ns, before.woken_ns
    for turn in turns:
        kit.holds(waits[0], turn.tid, turn.took_ns, turn.woke_ns)
    return kind, len(turns)


def with_lock(kit: Kit) -> object:
    """This thread holds it in a `with` block; another waits in one."""
    lock = threading.Lock()
    wait = kit.lock_wait("Lock", owner=tid())

    def waiter() -> None:
        wait.__enter__()
        with lock:
            wait.__exit__()

    with lock:
        since = now()
        thread = kit.thread(waiter)
        kit.asleep(wait, *TAKING)
        waking = kit.wakes(wait)
        waking.__enter__()
    waking.__exit__(None, None, None)
    thread.join()
    kit.holds(wait, tid(), since, wait.row.woke_ns)
    return lock.locked()


def lock_timeout(kit: Kit) -> object:
    """A wait for a lock times out."""
    kind = kit.random.choice(("Lock", "RLock"))
    lock: Any = getattr(threading, kind)()
    got = []

    def waiter(wait: Waiting) -> None:
        with wait:
            got.append(lock.acquire(timeout=SHORT_S))

    waits = [
        kit.lock_wait(kind, owner=tid(), outcome=False)
        for _ in range(kit.random.randrange(1, 3))
    ]
    with lock:
        threads = [kit.thread(waiter, wait) for wait in waits]
        for thread in threads:
            thread.join()
    return got


def signal_lock(kit: Kit) -> object:
    """A Lock is released by another thread than the one that took it."""
    lock = threading.Lock()
    lock.acquire()
    wait = kit.lock_wait("Lock", owner=tid())

    def waiter() -> None:
        with wait:
            lock.acquire()

    def releases() -> None:
        kit.asleep(wait, *TAKING)
        with kit.wakes(wait):
            lock.release()

    threads = [kit.thread(waiter), kit.thread(releases)]
    for thread in threads:
        thread.join()
    return lock.locked()


def event(kit: Kit) -> object:
    event = threading.Event()
    timeout = kit.random.choice((None, 600))
    waits = [kit.lock_wait("Event.wait") for _ in range(kit.random.randrange(1, 4))]

    def waiter(wait: Waiting) -> None:
        kit.pause()
        with wait:
            event.wait(timeout)

    threads = [kit.thread(waiter, wait) for wait in waits]
    for wait in waits:
        kit.asleep(wait, WAITING)
    with kit.wakes(*waits):
        event.set()
    for thread in threads:
        thread.join()
    return len(waits)


def event_here(kit: Kit) -> object:
    """This thread waits; in the main thread signals may cut it."""
    event = threading.Event()
    wait = kit.lock_wait("Event.wait")

    def setter() -> None:
        kit.asleep(wait, WAITING)
        with kit.wakes(wait):
            event.set()

    thread = kit.thread(setter)
    with wait:
        event.wait()
    thread.join()
    return event.is_set()


def event_timeout(kit: Kit) -> object:
    wait = kit.lock_wait("Event.wait", outcome=False)
    with wait:
        return threading.Event().wait(SHORT_S)


def brief_waker(kit: Kit) -> object:
    """The waker is a thread that ends at once, beside a busy one."""
    import _thread

    event = threading.Event()
    wait = kit.lock_wait("Event.wait")
    over: list[int] = []

    def waiter() -> None:
        with wait:
            event.wait()

    def busy() -> None:
        while not over:
            sum(range(1000))

    def wakes() -> None:
        with kit.wakes(wait):
            event.set()

    beside, thread = kit.thread(busy), kit.thread(waiter)
    kit.asleep(wait, WAITING)
    _thread.start_new_thread(wakes, ())
    thread.join()
    over.append(1)
    beside.join()
    return event.is_set()


def condition(kit: Kit) -> object:
    """notify one after the other, or all at once; by wait or wait_for."""
    lock = kit.random.choice((threading.Lock, threading.RLock))()
    condition = threading.Condition(lock)
    by_predicate, at_once = kit.random.random() < 0.5, kit.random.random() < 0.5
    waits = [kit.lock_wait("Condition.wait") for _ in range(kit.random.randrange(1, 4))]
    open_: list[int] = []

    def waiter(wait: Waiting) -> None:
        with condition:
            wait.__enter__()
            if by_predicate:
                condition.wait_for(lambda: open_, 600)
            else:
                condition.wait()
            wait.__exit__()

    threads = []
    for wait in waits:  # in this order, which is that of notify()
        threads.append(kit.thread(waiter, wait))
        kit.asleep(wait, WAITING)
    open_.append(1)
    for group in [waits] if at_once else [[wait] for wait in waits]:
        with condition:
            kit.pause()
            with kit.wakes(*group):
                condition.notify(len(group))
            kit.pause()
    for thread in threads:
        thread.join()
    return len(waits)


def condition_timeout(kit: Kit) -> object:
    condition = threading.Condition()
    with condition, kit.lock_wait("Condition.wait", outcome=False):
        return condition.wait(SHORT_S)


def semaphore(kit: Kit) -> object:
    bounded = kit.random.random() < 0.5
    count = kit.random.randrange(1, 3)
    semaphore = (threading.BoundedSemaphore if bounded else threading.Semaphore)(count)
    for _ in range(count):
        semaphore.acquire()
    waits = [kit.lock_wait("Semaphore") for _ in range(count)]

    def waiter(wait: Waiting) -> None:
        with wait:
            semaphore.acquire()

    threads = [kit.thread(waiter, wait) for wait in waits]
    for wait in waits:
        kit.asleep(wait, WAITING)
    with kit.wakes(*waits):
        semaphore.release(count)
    for thread in threads:
        thread.join()
    return semaphore.acquire(blocking=False)


def barrier(kit: Kit) -> object:
    """The last to arrive ends the others' waits; or somebody breaks it."""
    breaks = kit.random.random() < 0.3
    waits = [kit.lock_wait("Barrier.wait") for _ in range(kit.random.randrange(1, 4))]
    barrier = threading.Barrier(len(waits) + 1)
    results: list[str] = []

    def waiter(wait: Waiting) -> None:
        try:
            with wait:
                barrier.wait()
        except threading.BrokenBarrierError:
            results.append("broken")
        else:
            results.append("passed")

    threads = [kit.thread(waiter, wait) for wait in waits]
    for wait in waits:
        kit.asleep(wait, WAITING)
    with kit.wakes(*waits):
        if breaks:
            barrier.abort()
        else:
            barrier.wait()
    for thread in threads:
        thread.join()
    return results
