"""The program of a seed, as plain JSON data: its parts, their places, disturbances."""

import json
from collections.abc import Container
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random

# Module -> its parts, by where they can run. Listed here so that a plan imports none of them.
THREAD_PARTS = {
    "parts_locks": (
        *("lock", "with_lock", "lock_timeout", "signal_lock"),
        *("event", "event_here", "event_timeout", "brief_waker"),
        *("condition", "condition_timeout", "semaphore", "barrier"),
    ),
    "parts_queues": (
        *("queue_get", "queue_put", "queue_join", "queue_timeout"),
        *("simple_queue", "simple_queue_timeout", "join", "join_timeout", "timer"),
    ),
    "parts_pools": (
        *("future_result", "pool_idle", "pool_shutdown", "futures_wait", "as_completed"),
        *("pipe", "sockets", "sleep"),
    ),
    "parts_process": (
        *("regions", "generator_region", "operations"),
        *("finalizers", "finalizer_waits", "collections", "fork", "subprocess_wait"),
    ),
}
MAIN_PARTS: dict[str, tuple[str, ...]] = {
    "parts_process": ("signal_handler", "signals_cut", "signal_raises")
}
LOOP_PARTS = {
    "parts_tasks": (
        *("event", "lock", "condition", "semaphore", "barrier", "queue", "future"),
        *("child", "children", "cancelled", "timeout", "sleeper", "later", "regions"),
    ),
    "parts_loops": (
        *("threadsafe", "to_thread", "from_thread", "blocking_step", "sockets"),
        *("eager", "eager_python", "generators", "other_loop", "left_behind", "shielded"),
    ),
}
MAIN_LOOP_PARTS: dict[str, tuple[str, ...]] = {"parts_loops": ("loop_signal",)}
# Known faults of the recorder, and what to leave out until they are fixed: a part, a way of a
# program, or a kind of disagreement. `--all` leaves nothing out.
OPEN: dict[str, str] = {}
ENDS = ("end", "end", "exit", "raise", "thread")


@dataclass(slots=True)
class Step:
    """One part; `name` is unique in the program."""

    name: str
    module: str
    function: str
    seed: int


@dataclass(slots=True)
class Lane:
    """Steps one after the other in a thread, or as tasks of a loop."""

    kind: str  # "thread" or "loop"
    steps: list[Step] = field(default_factory=list)
    together: bool = False  # for a loop: all at once
    eager: bool = False  # for a loop: with the eager task factory


@dataclass(slots=True)
class Plan:
    """The first lane is the main thread's."""

    seed: int
    lanes: list[Lane] = field(default_factory=list)
    switch_s: float = 0.005
    gc_threshold: int = 2000
    busy_threads: int = 0
    storm_s: float = 0.0  # a signal to the main thread every so often
    end: str = "end"
    lazy_api: bool = False  # the API's first use is somewhere in a part

    def write(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=1))


def read(path: Path) -> Plan:
    found = json.loads(path.read_text())
    lanes = [
        Lane(**{**lane, "steps": [Step(**step) for step in lane["steps"]]})
        for lane in found.pop("lanes")
    ]
    return Plan(**found, lanes=lanes)


def _choices(*tables: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [
        (module, part) for table in tables for module, parts in table.items() for part in parts
    ]


def make_plan(seed: int, left_out: Container[str] = OPEN) -> Plan:
    random = Random(seed)
    plan = Plan(
        seed,
        switch_s=random.choice((0.005, 0.005, 0.0005, 0.00001)),
        gc_threshold=random.choice((2000, 2000, 50)),
        busy_threads=random.choice((0, 0, 0, 1, 2)),
        storm_s=random.choice((0.0, 0.0, 0.0, 0.003)),
        end=random.choice(ENDS),
        lazy_api=random.random() < 0.5,
    )
    plan.lazy_api &= "lazy_api" not in left_out
    number = 0
    for at in range(random.randrange(1, 5)):
        kind = random.choice(("thread", "loop"))
        lane = Lane(kind, together=random.random() < 0.6, eager=random.random() < 0.25)
        is_main = at == 0
        if kind == "loop":
            found = _choices(LOOP_PARTS, *([MAIN_LOOP_PARTS] if is_main else []))
        else:
            found = _choices(THREAD_PARTS, *([MAIN_PARTS] if is_main else []))
        for _ in range(random.randrange(1, 7)):
            module, part = random.choice(found)
            step = Step(f"{number}.{part}", module, part, random.randrange(1 << 30))
            number += 1
            if part in left_out:
                continue
            if part == "loop_signal" and any(each.function == part for each in lane.steps):
                continue  # they would take each other's signal
            lane.steps.append(step)
        if lane.steps or is_main:
            plan.lanes.append(lane)
    return plan
