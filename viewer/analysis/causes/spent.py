"""What the time until the program's end went to: the pieces of the path to it, summed."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from viewer.analysis.causes.path import RunPath
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import Windows, parts
from viewer.analysis.states import call_of, wait_of
from viewer.trace.columns import (
    GIL_WAIT,
    IDLE_WAIT,
    IO,
    LOCK_WAIT,
    NATIVE,
    OFF_CPU,
    PREEMPTED,
    SLEEP,
    STATE_MASK,
    THREAD_RUNNING,
)
from viewer.trace.model import Model

_COMPUTING = "computing"
_STATES = {
    THREAD_RUNNING: _COMPUTING,
    NATIVE: f"{_COMPUTING} without the GIL",
    PREEMPTED: "time off the CPU",
    OFF_CPU: "time off the CPU",
    GIL_WAIT: "waiting for the GIL",
}
_COLLECTING = "collecting garbage"
_MOST_ROWS = 100_000  # of States: summing more of them takes longer than it tells


class Spent(NamedTuple):
    """`call` is "" where the thread waited for nothing, but did what `did` says."""

    ns: int
    did: str
    call: str
    site: str


def spent(model: Model) -> tuple[Spent, ...]:
    """What the path went to, the most first; empty of a trace without one, or a large one."""
    if len(model.states.state) > _MOST_ROWS:
        return ()
    path, ledger, total = RunPath.of(model), Ledger.of(model), Counter[tuple[str, str, str]]()
    for thread, windows in path.windows.items():
        for did, ns in _did(model, ledger, thread, windows):
            total[did] += ns
        for key, collecting in parts(ledger.collecting.carve(thread, windows)):
            for did, ns in _did(model, ledger, thread, collecting) if key >= 0 else ():
                if did[0].startswith(_COMPUTING):
                    total[did] -= ns
                    total[_COLLECTING, "", ""] += ns
    found = [Spent(ns, *did) for did, ns in total.items() if ns > 0]
    return tuple(sorted(found, key=lambda one: (-one.ns, one)))


def _did(
    model: Model, ledger: Ledger, thread: int, windows: Windows
) -> Iterator[tuple[tuple[str, str, str], int]]:
    table = model.states
    carved = ledger.did(thread, windows)
    for key, ns in zip(carved.key, carved.total, strict=True):
        row = ledger.row_that_did(key)
        state = table.state[row] & STATE_MASK if row >= 0 else -1
        if state in (IO, SLEEP):
            yield ("in", *call_of(model, table.row[row])), ns
        elif state in (LOCK_WAIT, IDLE_WAIT):
            yield ("in", *wait_of(model, row)), ns
        elif state in _STATES:
            yield (_STATES[state], "", ""), ns
