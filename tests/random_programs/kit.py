"""Tools for the parts of a random program: handshakes, and the log of what happened.

Runs in the traced program. It takes no lock, so that every lock wait is the part's own.
"""

import dataclasses
import faulthandler
import gc
import itertools
import linecache
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random

import tracer
from tests.random_programs import facts
from tests.random_programs.facts import Facts, Wait

PATIENCE_S = 60  # then a handshake has failed, and the program says so
LOOKS_APART_S = 0.0003  # between checks at a sleeping thread; a wait is shown from 20 µs on
BROKEN = 70  # exit status

now = time.monotonic_ns
tid = threading.get_native_id


def give_up(why: str) -> None:
    """A handshake that never came about: the program or the recorder is wrong. No lock."""
    os.write(2, f"random program: {why}\n".encode())
    faulthandler.dump_traceback(all_threads=True)
    os._exit(BROKEN)


def until(is_so: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            give_up(why)
        time.sleep(LOOKS_APART_S)


class Kit:
    """One for each time a part runs; `number` makes its names unique."""

    def __init__(self, truth: Facts, part: str, seed: int, *, is_cut: bool) -> None:
        self.truth, self.part = truth, part
        self.random = Random(
            seed
        )  # for the part's choices, which must always come in one order
        self.noise = Random(seed + 1)
        self.is_cut = is_cut and threading.current_thread() is threading.main_thread()
        self.numbers = itertools.count(1)
        self.main = threading.main_thread().native_id

    def name(self, what: str) -> str:
        return f"{self.part} {what} {next(self.numbers)}"

    def pause(self) -> None:
        """Varies the schedule; the truths must hold however long it takes."""
        match self.noise.randrange(6):
            case 0:
                time.sleep(self.noise.random() * 0.002)
            case 1:
                time.sleep(0)
            case 2:
                sum(range(self.noise.randrange(20_000)))

    # Threads ---------------------------------------------------------------------------

    def thread(self, function: Callable[..., object], *args: object) -> threading.Thread:
        """Starts a thread and logs its life as a fact."""
        name = self.name(getattr(function, "__name__", "thread"))
        row = facts.Thread(self.part, 0, name, tid())

        def runs() -> None:
            row.tid = tid()
            self.truth.threads.append(row)
            function(*args)

        thread = threading.Thread(target=runs, name=name)
        thread.start()
        return thread

    def wait(
        self, name: str, *, owner: int = 0, outcome: bool | None = True, waker: int = 0
    ) -> "Waiting":
        """`with` it in the thread that waits; then asleep() and wakes() elsewhere."""
        row = Wait(self.part, name, owner, outcome, waker)
        return Waiting(self, row)

    def lock_wait(self, kind: str, *, owner: int = 0, outcome: bool = True) -> "Waiting":
        return self.wait(f"lock wait: {kind}", owner=owner, outcome=outcome)

    def piece(self, waiting: "Waiting") -> "Waiting":
        """Logs a wait that has begun and that a signal will cut off."""
        row = dataclasses.replace(waiting.row, outcome=False, woke_ns=0, seen_ns=0)
        self.truth.waits.append(row)
        return Waiting(self, row)

    def asleep(self, waiting: "Waiting", *lines: str) -> None:
        """Returns once the waiter sleeps in a line of source that has one of these texts.

        Two looks must find it in the same sleep, and in such a line while this thread
        holds the GIL: so it does not wait for the GIL.
        """
        row = waiting.row
        until(lambda: row.asked_ns, f"nobody waits: {row}")
        before: object = None

        def is_asleep() -> bool:
            nonlocal before
            row.seen_ns = now()
            sleeps = _sleeps(row.tid)  # first, so that the place belongs to that sleep
            place = _place(row.ident, lines) if sleeps else None
            look = (sleeps, place) if place else None
            last, before = before, look
            return look is not None and look == last

        until(is_asleep, f"never asleep in {lines}: {row}")

    @contextmanager
    def wakes(self, *waits: "Waiting") -> Iterator[None]:
        """Goes around code that ends these waits."""
        for each in waits:
            each.row.waker, each.row.woke_ns = tid(), now()
        yield
        after = now()
        for each in waits:
            each.row.woken_ns = after

    def holds(self, waiting: "Waiting", owner: int, from_ns: int, until_ns: int) -> None:
        """Begins no earlier than the wait was seen: before that, nobody needs to know."""
        index = self.truth.waits.index(waiting.row)
        row = facts.Hold(self.part, owner, max(from_ns, waiting.row.seen_ns), until_ns, index)
        self.truth.holds.append(row)

    def task_name(self) -> str:
        """The name of the task that runs here; "" if there is none."""
        return ""

    # Its own events ----------------------------------------------------------------------

    @contextmanager
    def region(self, *path: str) -> Iterator[list[str]]:
        """A region; inside one another give `path`. Yields the path of what is inside."""
        name = self.name("region")
        row = facts.Said(self.part, name, False, list(path), now())
        row.task = self.task_name()
        row.tid = 0 if row.task else tid()
        try:
            with tracer.region(name, number=1):
                yield [*path, name]
        except BaseException as error:
            row.exception = type(error).__name__
            raise
        finally:
            row.until_ns = now()
            self.truth.said.append(row)

    def say(self, *path: str) -> None:
        name = self.name("log")
        row = facts.Said(self.part, name, True, list(path), now())
        row.task = self.task_name()
        row.tid = 0 if row.task else tid()
        tracer.log(name, number=1)
        row.until_ns = now()
        self.truth.said.append(row)

    def often(self, name: str) -> None:
        """A log that comes an unknown number of times, counted in the program."""
        tracer.log(name)
        self.truth.often.append(name)

    def count(self, name: str, value: float) -> None:
        tracer.counter(name, value)
        self.truth.counters.setdefault(name, []).append(value)

    def collect(self, generation: int = 2) -> None:
        from_ns = now()
        gc.collect(generation)
        row = facts.Collection(self.part, tid(), generation, from_ns, now())
        self.truth.collections.append(row)


class Waiting:
    """A wait that will begin: the context manager goes around the call that blocks."""

    def __init__(self, kit: Kit, row: Wait) -> None:
        self.kit, self.row = kit, row

    def __enter__(self) -> "Waiting":
        row = self.row
        row.tid, row.ident = tid(), threading.get_ident()
        row.is_cut = self.kit.is_cut and row.tid == self.kit.main
        row.asked_ns = now()
        return self

    def __exit__(self, *_: object) -> None:
        self.row.done_ns = now()
        self.kit.truth.waits.append(self.row)


def _place(ident: int, lines: tuple[str, ...]) -> tuple[int, int] | None:
    """The thread's current instruction, if that is in one of these lines."""
    frame = sys._current_frames().get(ident)
    if frame is None:
        return None
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno or 0)
    place = id(frame.f_code), frame.f_lasti
    return place if any(text in line for text in lines) else None


def _sleeps(native_id: int) -> str | None:
    """How many times it went to sleep, if it sleeps; else None."""
    try:
        with open(f"/proc/self/task/{native_id}/status") as file:
            status = file.read()
    except OSError:
        return None
    _, _, state = status.partition("State:\t")
    _, _, switches = status.partition("\nvoluntary_ctxt_switches:\t")
    return switches.partition("\n")[0] if state.startswith("S") else None
