"""Plants slow moments under a flight recording, one after the other, and says what it planted.

`planted.py FOLDER COUNT COOLDOWN CONDITION…`: each moment lasts until somebody was told of it
if there is no cooldown, and a while otherwise. Prints a line of JSON for each: its condition,
line, time, and whether it surely was long enough; then one with what was told.
"""

import asyncio
import ctypes
import itertools
import json
import sys
import threading
import time
from collections.abc import Callable

import tracer

LIMIT_S = 0.1  # of every condition
LONG_S = 0.15
GIL_S = 0.4
PATIENCE_S = 60

folder, count, cooldown, *conditions = sys.argv[1:]
waits_to_be_told = float(cooldown) == 0
told: list[dict[str, object]] = []
news = threading.Condition()
lock = threading.Lock()
hold_gil = ctypes.PyDLL(None).usleep
wanted = ""  # the condition of the moment that is being planted


def on_event(moment: dict[str, object]) -> None:
    with news:
        told.append(moment | {"ns": time.monotonic_ns()})
        news.notify_all()


def is_told(known: int) -> bool:
    """Of this moment: a busy machine has others, at other lines."""
    line = f":{LINES[place]} "
    return any(
        each["trigger"] == wanted and line in str(each["site"]) for each in told[known:]
    )


def last() -> None:
    """Until somebody was told of this moment."""
    if not waits_to_be_told:
        time.sleep(LONG_S)
        return
    with news:
        known = len(told)
        news.wait_for(lambda: is_told(known), PATIENCE_S)  # the line of what blocks


async def step() -> None:
    last()


def blocked_loop() -> bool:
    asyncio.run(step())
    return True


def hold(held: threading.Event) -> None:
    with lock:
        held.set()
        last()


def contended_lock() -> bool:
    held = threading.Event()
    holder = threading.Thread(target=hold, args=(held,), name="holder")
    holder.start()
    held.wait()
    began = time.monotonic()
    with lock:  # the line of a wait for a lock
        waited_s = time.monotonic() - began
    holder.join()
    return waits_to_be_told or waited_s > LIMIT_S * 1.2


def hog(ready: threading.Event) -> None:
    ready.wait()
    hold_gil(int(GIL_S * 1e6))


def gil_hog() -> bool:
    """Again, until the one who waits came in time for a wait that is long enough."""
    known = len(told)
    while not is_told(known):
        waited_s = wait_for_gil()
        with news:
            news.wait_for(lambda: is_told(known), 5 if waited_s > 2 * LIMIT_S else 0)
    return True


def wait_for_gil() -> float:
    """The longest time in which another thread had the GIL."""
    ready = threading.Event()
    hogs = threading.Thread(target=hog, args=(ready,), name="hog")
    hogs.start()
    began, longest = time.monotonic(), 0.0
    ready.set()
    while time.monotonic() - began < GIL_S:
        now = time.monotonic()
        time.sleep(0.001)  # the line of a wait for the GIL
        longest = max(longest, time.monotonic() - now)
    hogs.join()
    return longest


def slow_region() -> bool:
    with tracer.region("planted"):
        last()
    return True


PLANTS: dict[str, tuple[Callable[[], bool], str]] = {
    "loop": (blocked_loop, "what blocks"),
    "lock": (contended_lock, "a wait for a lock"),
    "gil": (gil_hog, "a wait for the GIL"),
    "region": (slow_region, "what blocks"),
}
with open(__file__) as source:
    LINES = {
        line.partition("# the line of ")[2].strip(): number
        for number, line in enumerate(source, 1)
        if "# the line of " in line and "partition" not in line
    }

tracer.flight(
    folder, seconds=30, on=conditions, cooldown=float(cooldown), keep=1000, on_event=on_event
)
for condition in itertools.islice(itertools.cycle(conditions), int(count)):
    wanted = condition
    plant, place = PLANTS[condition.partition(">")[0].partition(" ")[0]]
    begin_ns = time.monotonic_ns()
    is_sure = plant()
    end_ns = time.monotonic_ns()
    print(
        json.dumps(
            {
                "condition": condition,
                "line": LINES[place],
                "begin_ns": begin_ns,
                "end_ns": end_ns,
                "is_sure": is_sure,
            }
        ),
        flush=True,
    )
totals = tracer.stop()
assert totals is not None
print(
    json.dumps({"told": told, "snapshots": totals.snapshots, "suppressed": totals.suppressed})
)
