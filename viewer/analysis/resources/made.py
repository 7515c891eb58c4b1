"""Limits of who makes a task for each wait: the next one begins as one before it ends."""

from collections import defaultdict
from collections.abc import Iterator

from tracer.units import MS
from viewer.analysis.resources.resource import Claim, Hold, Known, Resource, size_of
from viewer.analysis.resources.waits import Wait, Waits

# Four or more were made late, as another one ended; and of two kinds of waits, or of those
# that came over time: one batch may take its time.
_RELAYS = 4
_JUST_NS = 5 * MS
_FUTURE = "future"
_MOST = 2_000  # waits for tasks of one function


def made_in_turn(waits: Waits, least_ns: int) -> Iterator[Resource]:
    """Waits for tasks that are made one for each, as many at a time as a limit allows."""
    group = waits.model.owners.task_group
    by_group: dict[int, list[Wait]] = defaultdict(list)
    for wait in waits.all:
        is_task = wait.ender is not None and wait.ender[0] == wait.who[0] == "task"
        if is_task and wait.name == _FUTURE and wait.ender is not None and not wait.failed:
            by_group[group[wait.ender[1]]].append(wait)
    for of, found in by_group.items():
        own = {group[wait.who[1]] for wait in found}
        if of in own or not _RELAYS < len(found) <= _MOST:
            continue
        lives = [
            Hold(who, waits.begins_ns(who), waits.ends_ns(who))
            for task, one in enumerate(group) if one == of
            for who in [("task", task)]
        ]  # fmt: skip
        lives.sort(key=lambda life: (life.start_ns, life.who))
        claims = [claim for claim in _claims(found, lives) if claim.ns >= _JUST_NS]
        is_much = len(claims) >= _RELAYS and sum(claim.ns for claim in claims) >= least_ns
        size = size_of(claims, lives) if is_much else 0
        if size and not _is_batch(found, lives):
            yield Resource(Known.MADE, claims, lives, size)


def _claims(found: list[Wait], lives: list[Hold]) -> list[Claim]:
    """First come, first served; nothing where there is not one for each."""
    if len(found) != len(lives):
        return []
    claims = []
    for wait, life in zip(found, lives, strict=True):  # both are in order of begin
        if not wait.start_ns - _JUST_NS <= life.start_ns <= wait.end_ns:
            return []
        born_ns = life.start_ns
        claims.append(Claim(wait.who, wait.start_ns, born_ns, wait.site, born_ns - _JUST_NS))
    return claims


def _is_batch(found: list[Wait], lives: list[Hold]) -> bool:
    first_ns = min(life.end_ns for life in lives)
    late = sum(wait.start_ns > first_ns for wait in found)
    return len({wait.site for wait in found}) == 1 and late * 4 < len(found)
