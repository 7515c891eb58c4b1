"""Makes a failing plan smaller: removes everything that the failure does not need."""

import dataclasses
from collections.abc import Container, Iterator
from pathlib import Path

from tests.random_programs.plan import Plan
from tests.random_programs.run import run_plan

TRIES = 3  # a failure may need a schedule of its own
CALM = {
    "storm_s": 0.0,
    "busy_threads": 0,
    "gc_threshold": 2000,
    "switch_s": 0.005,
    "end": "end",
}


def shrink(plan: Plan, kinds: set[str], directory: Path, left_out: Container[str]) -> Plan:
    """A plan that fails in one of these ways, and has little else."""

    def fails(candidate: Plan) -> bool:
        for _ in range(TRIES):
            outcome = run_plan(candidate, directory)
            found = {wrong.kind for wrong in outcome.wrong if wrong.kind not in left_out}
            if found & kinds:
                return True
        return False

    while smaller := next(filter(fails, _smaller(plan)), None):
        plan = smaller
    return plan


def _smaller(plan: Plan) -> Iterator[Plan]:
    """Plans that each lack one thing; the first lane stays, but may be empty."""
    for at in range(1, len(plan.lanes)):
        yield dataclasses.replace(plan, lanes=plan.lanes[:at] + plan.lanes[at + 1 :])
    for at, lane in enumerate(plan.lanes):
        for step in lane.steps:
            fewer = dataclasses.replace(lane, steps=[s for s in lane.steps if s is not step])
            yield dataclasses.replace(
                plan, lanes=[*plan.lanes[:at], fewer, *plan.lanes[at + 1 :]]
            )
    for name, value in CALM.items():
        if getattr(plan, name) != value:
            yield dataclasses.replace(plan, **{name: value})  # type: ignore[arg-type]
