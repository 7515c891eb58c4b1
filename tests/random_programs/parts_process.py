"""Parts: signals, forks, finalizers, and the program's own events."""

import contextlib
import gc
import os
import signal
import threading
from collections.abc import Generator

import tracer
from tests.random_programs.kit import Kit, now, tid, until
from tests.random_programs.parts_locks import TAKING, WAITING


def regions(kit: Kit) -> object:
    """Regions that are nested, left by exceptions, in generators, or decorators."""
    left = 0

    def descend(depth: int, path: list[str]) -> None:
        nonlocal left
        for _ in range(kit.random.randrange(1, 3)):
            try:
                with kit.region(*path) as inner:
                    kit.say(*inner)
                    kit.pause()
                    if depth:
                        descend(depth - 1, inner)
                    if kit.random.random() < 0.3:
                        raise KeyError(depth)
            except KeyError:
                left += 1

    descend(2, [])
    return left


def generator_region(kit: Kit) -> object:
    """A generator left midway: its region ends where it is closed."""

    def numbers() -> Generator[int]:
        with kit.region():
            yield from range(3)

    half_way = numbers()
    found = next(half_way)
    half_way.close()
    return found, list(numbers())


def operations(kit: Kit) -> object:
    """tracer.task around regions, counters beside them."""
    with tracer.task(kit.name("operation"), customer="ada"), kit.region() as path:
        kit.say(*path)
    for _ in range(kit.random.randrange(1, 4)):
        kit.count(f"{kit.part} counter", kit.random.choice((1, 2, 2.5, -3)))
    return "counted"


class Finalized:
    """Takes a lock and logs when it dies."""

    def __init__(self, kit: Kit, lock: threading.Lock, dead: list[int]) -> None:
        self.kit, self.lock, self.dead = kit, lock, dead

    def __del__(self) -> None:
        with self.lock:
            self.dead.append(1)
        self.kit.often(f"{self.kit.part} finalized")


class Cycle(Finalized):
    def __init__(self, kit: Kit, lock: threading.Lock, dead: list[int]) -> None:
        super().__init__(kit, lock, dead)
        self.itself = self


def finalizers(kit: Kit) -> object:
    """Finalizers of objects that lose their last reference, and of collected cycles."""
    dead: list[int] = []
    for _ in range(kit.random.randrange(1, 20)):
        Finalized(kit, threading.Lock(), dead)
    alone = len(dead)
    count = kit.random.randrange(1, 20)
    for _ in range(count):
        Cycle(kit, threading.Lock(), dead)
    kit.collect()
    # gc.collect() does nothing while another thread collects.
    until(
        lambda: gc.collect() >= 0 and len(dead) == alone + count, "a circle is not collected"
    )
    until(
        lambda: kit.truth.often.count(f"{kit.part} finalized") == alone + count,
        "it does not speak",
    )
    return alone, count


def finalizer_waits(kit: Kit) -> object:
    """A finalizer waits for a lock that another thread has."""
    lock = threading.Lock()
    wait = kit.lock_wait("Lock")

    class Waits:
        def __del__(self) -> None:
            with wait, lock:
                pass

    def frees() -> None:
        wait.row.owner = tid()
        with lock:
            taken.set()
            kit.asleep(wait, "with wait, lock:")
            waking = kit.wakes(wait)
            waking.__enter__()
        waking.__exit__(None, None, None)

    taken = threading.Event()
    thread = kit.thread(frees)
    taken.wait()
    Waits()
    thread.join()
    return lock.locked()


def collections(kit: Kit) -> object:
    """Explicit collections of each generation; one runs a finalizer with a region."""
    for _ in range(kit.random.randrange(1, 4)):
        kit.collect(kit.random.randrange(3))

    class Speaks:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            with tracer.region(f"{kit.part} in a finalizer"):
                tracer.log(f"{kit.part} in a finalizer")

    Speaks()
    gc.collect()
    return "collected"


def fork(kit: Kit) -> object:
    """The child does a little, and leaves; the parent waits for it."""
    reading, writing = os.pipe()
    code = kit.random.randrange(1, 100)
    pid = os.fork()
    if pid == 0:
        gc.disable()  # finalizers may wait for threads that are not here
        lock = threading.Lock()
        with lock, tracer.region("in the child"):
            tracer.log("in the child")
        os.read(reading, 1)  # until the parent has been seen to wait
        os._exit(code)
    wait = kit.wait("io: os.waitpid", outcome=None)

    def frees() -> None:
        kit.asleep(wait, "os.waitpid(")
        wait.row.woke_ns = now()
        os.write(writing, b"x")

    thread = kit.thread(frees)
    with wait:
        _, status = os.waitpid(pid, 0)
    thread.join()
    os.close(reading)
    os.close(writing)
    return os.waitstatus_to_exitcode(status) == code


def subprocess_wait(kit: Kit) -> object:
    import subprocess

    process = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    wait = kit.wait("io: os.waitpid", outcome=None)

    def frees() -> None:
        kit.asleep(wait, "os.waitpid(")
        wait.row.woke_ns = now()
        assert process.stdin
        process.stdin.close()

    thread = kit.thread(frees)
    with wait:
        code = process.wait()
    thread.join()
    return code


def signal_handler(kit: Kit) -> object:
    """A signal during a wait of the main thread: the handler logs and waits for a lock."""
    lock, event = threading.Lock(), threading.Event()
    outer, inner = kit.lock_wait("Event.wait"), kit.lock_wait("Lock")
    handled: list[int] = []

    def handler(number: int, _: object) -> None:
        handled.append(number)
        with kit.region() as path:
            kit.say(*path)
        with inner, lock:
            pass

    def sends() -> None:
        until(lambda: outer.row.asked_ns, "the main thread does not wait")
        piece = kit.piece(outer)
        kit.asleep(piece, WAITING)
        with lock:
            inner.row.owner = tid()
            piece.row.woke_ns = now()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            kit.asleep(inner, "with inner, lock:")
            piece.row.done_ns = now()
            waking = kit.wakes(inner)
            waking.__enter__()
        waking.__exit__(None, None, None)
        kit.asleep(outer, WAITING)
        with kit.wakes(outer):
            event.set()

    kept = signal.signal(signal.SIGUSR1, handler)
    try:
        thread = kit.thread(sends)
        with outer:
            event.wait()
        thread.join()
    finally:
        signal.signal(signal.SIGUSR1, kept)
    return handled == [signal.SIGUSR1]


def signals_cut(kit: Kit) -> object:
    """Signals cut a wait for a lock; each piece names that lock and that owner."""
    lock, taken = threading.Lock(), threading.Event()
    wait = kit.lock_wait("Lock")
    handled: list[int] = []

    def holds() -> None:
        wait.row.owner = tid()
        with lock:
            taken.set()
            until(lambda: wait.row.asked_ns, "the main thread does not wait")
            for count in range(1, 4):
                piece = kit.piece(wait)
                kit.asleep(piece, *TAKING)
                piece.row.woke_ns = now()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR2)
                until(lambda count=count: len(handled) == count, "the handler is not called")  # type: ignore[misc]
                piece.row.done_ns = now()
            kit.asleep(wait, *TAKING)
            waking = kit.wakes(wait)
            waking.__enter__()
        waking.__exit__(None, None, None)

    kept = signal.signal(signal.SIGUSR2, lambda number, _: handled.append(number))
    try:
        thread = kit.thread(holds)
        taken.wait()
        with wait:
            lock.acquire()
        thread.join()
    finally:
        signal.signal(signal.SIGUSR2, kept)
    return len(handled)


def signal_raises(kit: Kit) -> object:
    """A handler's exception ends the wait."""
    wait = kit.lock_wait("Event.wait")

    class Interrupted(Exception):
        pass

    def handler(*_: object) -> None:
        raise Interrupted

    def sends() -> None:
        kit.asleep(wait, WAITING)
        wait.row.woke_ns = now()
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    kept = signal.signal(signal.SIGUSR1, handler)
    interrupted = 0
    thread = kit.thread(sends)
    try:
        with contextlib.suppress(Interrupted), wait:
            threading.Event().wait()
        interrupted += 1
    finally:
        thread.join()
        signal.signal(signal.SIGUSR1, kept)
    wait.row.outcome = False
    return interrupted
