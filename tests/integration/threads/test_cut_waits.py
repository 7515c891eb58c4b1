"""Signals cut a wait for a lock into pieces: each of them knows who has the lock."""

import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.recordings import record_here
from tests.support.waiting import lock_waits, until_it_sleeps_in
from tracer import schema as s

CUTS = 3
SENDERS: dict[str, Callable[[int], None]] = {
    "pthread_kill": lambda number: signal.pthread_kill(
        threading.main_thread().ident or 0, number
    ),
    "kill": lambda number: os.kill(os.getpid(), number),
}


def waits(lock: threading.Lock) -> None:
    lock.acquire()


@pytest.mark.parametrize("sender", SENDERS)
@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_owner_of_every_piece(tmp_path: Path, kind: str, sender: str) -> None:
    """The owner took the lock before anybody wanted it, and sleeps since."""
    lock = getattr(threading, kind)()
    taken, may_go = threading.Event(), threading.Event()
    handled: list[int] = []

    def owns() -> None:
        with lock:
            taken.set()
            may_go.wait()

    owner = threading.Thread(target=owns)

    def cuts() -> None:
        until_it_sleeps_in(owner, "wait", "acquire")
        for count in range(CUTS):
            until_it_sleeps_in(threading.main_thread(), "waits", "acquire")
            SENDERS[sender](signal.SIGUSR1)
            while len(handled) == count:
                time.sleep(0)
        until_it_sleeps_in(threading.main_thread(), "waits", "acquire")
        may_go.set()

    def work() -> None:
        owner.start()
        taken.wait()
        cutter = threading.Thread(target=cuts)
        cutter.start()
        waits(lock)
        lock.release()
        cutter.join()
        owner.join()

    kept = signal.signal(signal.SIGUSR1, lambda number, _: handled.append(number))
    try:
        summary, _ = record_here(work, tmp_path / "t.pftrace")
    finally:
        signal.signal(signal.SIGUSR1, kept)
    pieces = [each for _, each in lock_waits(summary, kind)]
    assert len(pieces) == CUTS + 1
    assert {each.args.get(s.ARG_OWNER) for each in pieces} == {owner.native_id}
    assert {each.args.get(s.ARG_OWNER_NAME) for each in pieces} == {owner.name}
    assert all(str(each.args[s.ARG_OWNER_SITE]).endswith(".owns") for each in pieces)
    assert [each.args[s.ARG_ACQUIRED] for each in pieces] == [0] * CUTS + [1]
    assert len({each.args[s.ARG_LOCK] for each in pieces}) == 1
