"""What the kernel took for other threads or programs, which is no doing of the program."""

from collections.abc import Iterable

from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import window
from viewer.trace.columns import PREEMPTED

_MOST = 40  # times that are looked at, the longest ones


def left_part(facts: Facts, times: Iterable[tuple[Who, int, int]]) -> float:
    """The part of these times of threads and tasks that the kernel left them, or their loop;
    1 where nothing tells."""
    whole = taken = 0
    longest = sorted(times, key=lambda time: time[1] - time[2])[:_MOST]
    for who, start_ns, end_ns in longest:
        kind, which = who
        thread = which if kind == "thread" else facts.ledger.thread_of_task(which)
        if thread >= 0 and end_ns > start_ns:
            whole += end_ns - start_ns
            taken += facts.split(thread, window(start_ns, end_ns)).states[PREEMPTED]
    return 1 - taken / whole if whole else 1.0
