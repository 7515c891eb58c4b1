"""Threads that wait: whether one does now, and what the trace says about its waits."""

import dis
import sys
import threading
import time
from pathlib import Path

from tests.support.validator.rules import Summary
from tests.support.validator.slices import Slice
from tracer import schema as s


def waits_in(thread: threading.Thread, function: str, *attributes: str) -> bool:
    """Is it in a call like `wakeup.acquire()` there? It waits: else it had the GIL."""
    frame = sys._current_frames()[thread.ident or 0]
    if frame.f_code.co_name != function:
        return False
    before = (i for i in dis.get_instructions(frame.f_code) if i.offset < frame.f_lasti)
    found = [i.argval for i in before if i.opname == "LOAD_ATTR"]
    return found[-len(attributes) :] == list(attributes)


def until_it_waits_in(thread: threading.Thread, function: str, *attributes: str) -> None:
    while not waits_in(thread, function, *attributes):
        time.sleep(0)


def until_it_sleeps_in(thread: threading.Thread, function: str, *attributes: str) -> None:
    """It sleeps in the kernel, so that a signal will wake it: the same sleep, seen twice."""
    last = None
    while True:
        status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
        sleeps = "State:\tS" in status and waits_in(thread, function, *attributes)
        look = times_blocked(thread) if sleeps else None
        if look is not None and look == last:
            return
        last = look
        time.sleep(0.001)  # if it waits for the GIL, it gets it here


def times_blocked(thread: threading.Thread) -> int:
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])


def lock_waits(summary: Summary, *kinds: str) -> list[tuple[int, Slice]]:
    """(tid, slice) in order of begin; only of these kinds, if any are given."""
    names = {s.LOCK_WAIT_PREFIX + kind for kind in kinds}
    found = [
        (lane.tid, each)
        for lane in summary.lanes.values()
        for each in lane.slices
        if each.begin.category == s.CAT_LOCK and (not names or each.name in names)
    ]
    return sorted(found, key=lambda row: row[1].start_ns)


def only(summary: Summary, kind: str) -> Slice:
    ((_, wait),) = lock_waits(summary, kind)
    return wait
