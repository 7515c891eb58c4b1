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
        thread = _thread_of(facts, who)
        if thread >= 0 and end_ns > start_ns:
            whole += end_ns - start_ns
            taken += facts.split(thread, window(start_ns, end_ns)).states[PREEMPTED]
    return 1 - taken / whole if whole else 1.0


def _thread_of(facts: Facts, who: Who) -> int:
    """The thread itself, or that of a task's loop; -1 unknown."""
    kind, which = who
    if kind == "thread":
        return which
    lane = facts.model.lane[facts.model.owners.task_head[which]]
    return facts.ledger.thread_of_loop[lane] if lane >= 0 else -1
