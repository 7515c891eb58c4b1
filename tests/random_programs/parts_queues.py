"""Parts: threads that wait for queues, for each other's end, and for timers."""

import queue
import threading

from tests.random_programs.kit import Kit, Waiting, now, tid
from tests.random_programs.parts_locks import JOINING, SHORT_S, WAITING

# A queue waits only if time is left when it has taken its lock: others may have the GIL first.
QUEUE_SHORT_S = 0.1


def queue_get(kit: Kit) -> object:
    make = kit.random.choice((queue.Queue, queue.LifoQueue, queue.PriorityQueue))
    fifo: queue.Queue[int] = make()
    waits = [kit.lock_wait("Queue.get") for _ in range(kit.random.randrange(1, 4))]
    got: list[int] = []

    def waiter(wait: Waiting) -> None:
        with wait:
            item = fifo.get(timeout=600)
        got.append(item)
        fifo.task_done()

    threads = []
    for wait in waits:  # woken in this order
        threads.append(kit.thread(waiter, wait))
        kit.asleep(wait, WAITING)
    for number, wait in enumerate(waits):
        kit.pause()
        with kit.wakes(wait):
            fifo.put(number)
    for thread in threads:
        thread.join()
    fifo.join()
    return sorted(got)


def queue_put(kit: Kit) -> object:
    fifo: queue.Queue[str] = queue.Queue(1)
    fifo.put("first")
    wait = kit.lock_wait("Queue.put")

    def waiter() -> None:
        with wait:
            fifo.put("second")

    thread = kit.thread(waiter)
    kit.asleep(wait, WAITING)
    with kit.wakes(wait):
        first = fifo.get()
    thread.join()
    return first, fifo.get()


def queue_join(kit: Kit) -> object:
    fifo: queue.Queue[int] = queue.Queue()
    fifo.put(1)
    wait = kit.lock_wait("Queue.join")

    def waiter() -> None:
        with wait:
            fifo.join()

    thread = kit.thread(waiter)
    item = fifo.get()
    kit.asleep(wait, WAITING)
    with kit.wakes(wait):
        fifo.task_done()
    thread.join()
    return item


def queue_timeout(kit: Kit) -> object:
    fifo: queue.Queue[int] = queue.Queue(1)
    kind = kit.random.choice(("Queue.get", "Queue.put"))
    if kind == "Queue.put":
        fifo.put(1)
    try:
        with kit.lock_wait(kind, outcome=False):
            if kind == "Queue.get":
                fifo.get(timeout=QUEUE_SHORT_S)
            else:
                fifo.put(2, timeout=QUEUE_SHORT_S)
    except (queue.Empty, queue.Full) as error:
        return type(error).__name__
    return "no time-out"


def simple_queue(kit: Kit) -> object:
    """Several blocking gets one after the other, by one thread or by several."""
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    waits = [kit.lock_wait("SimpleQueue.get") for _ in range(kit.random.randrange(1, 5))]
    timeout = kit.random.choice((None, 600))
    got: list[int] = []

    def waiter() -> None:
        for wait in waits:
            with wait:
                item = simple.get(timeout=timeout)
            got.append(item)

    thread = kit.thread(waiter)
    for number, wait in enumerate(waits):
        kit.asleep(wait, "simple.get(")
        with kit.wakes(wait):
            simple.put(number)
    thread.join()
    return got


def simple_queue_timeout(kit: Kit) -> object:
    if kit.is_cut:  # CPython: a handler that outlasts the deadline makes it wait for ever
        return "empty"
    simple: queue.SimpleQueue[int] = queue.SimpleQueue()
    try:
        with kit.lock_wait("SimpleQueue.get", outcome=False):
            return simple.get(timeout=SHORT_S)
    except queue.Empty:
        return "empty"


def join(kit: Kit) -> object:
    """A thread that is joined by this one and by another."""
    gate = threading.Event()
    joins = [kit.lock_wait("Thread.join") for _ in range(kit.random.randrange(1, 3))]
    timeout = kit.random.choice((None, 600))

    def ends() -> None:
        gate.wait()
        for each in joins:
            each.row.owner = each.row.waker = tid()
            each.row.woke_ns = now()

    def joiner(wait: Waiting) -> None:
        with wait:
            ending.join(timeout)

    ending = kit.thread(ends)
    threads = [kit.thread(joiner, wait) for wait in joins]
    for wait in joins:
        kit.asleep(wait, *JOINING)
    gate.set()
    for thread in threads:
        thread.join()
    return ending.is_alive()


def join_timeout(kit: Kit) -> object:
    gate = threading.Event()
    thread = kit.thread(gate.wait)
    with kit.lock_wait("Thread.join", owner=thread.native_id or 0, outcome=False):
        thread.join(SHORT_S)
    gate.set()
    thread.join()
    return thread.is_alive()


def timer(kit: Kit) -> object:
    """A Timer ends a wait; a second one is cancelled."""
    event = threading.Event()
    wait = kit.lock_wait("Event.wait")

    def fires() -> None:
        kit.asleep(wait, WAITING)
        with kit.wakes(wait):
            event.set()

    timers = [threading.Timer(0.001, fires), threading.Timer(600, fires)]
    for each in timers:
        each.start()
    timers[1].cancel()
    with wait:
        event.wait()
    for each in timers:
        each.join()
    return event.is_set()
