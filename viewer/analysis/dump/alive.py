"""How many tasks of a coroutine lived at once, when the last of them was created."""

from collections import Counter, defaultdict
from typing import NamedTuple

from viewer.analysis.dump.tasks import creation
from viewer.trace.columns import AWAIT
from viewer.trace.model import Model
from viewer.trace.sites import is_library

_FEWEST = 10  # in the second trace: fewer may be a matter of the moment
_TIMES = 2


class Alive(NamedTuple):
    """Tasks of a coroutine. `created` is the line that created most of them; "" unknown."""

    count: int  # type: ignore[assignment]
    oldest_ns: int
    site: str = ""
    created: str = ""


class Growth(NamedTuple):
    """A coroutine of which far more tasks live in the second trace."""

    name: str
    before: Alive
    after: Alive


def grown(a: Model, b: Model) -> tuple[Growth, ...]:
    """Those of the second trace, the largest growth first. Lines move between versions, so a
    coroutine is known by its name."""
    before, after = _alive(a), _alive(b)
    nothing = Alive(0, 0)
    found = [
        Growth(name, before.get(name, nothing), now)
        for name, now in after.items()
        if now.count >= max(_FEWEST, _TIMES * before.get(name, nothing).count)
    ]
    found.sort(key=lambda row: (row.before.count - row.after.count, row.name))
    return tuple(found)


def _alive(model: Model) -> dict[str, Alive]:
    """By coroutine, at the moment when the last of its tasks was created: when a program ends,
    it ends its tasks. A task counts as alive until its last await ends."""
    owned, slices = model.owners, model.trace.slices
    ends = model.trace.engine.spans(
        slices.end_ns, model.task_keys(AWAIT), len(owned.task_id)
    ).end_ns
    groups: dict[int, list[int]] = defaultdict(list)
    for task, group in enumerate(owned.task_group):
        groups[group].append(task)
    found: dict[str, Alive] = {}
    for group, tasks in groups.items():
        births = {task: slices.start_ns[owned.task_head[task]] for task in tasks}
        last = max(births.values())
        alive = [task for task in tasks if births[task] == last or ends[task] > last]
        name, site = model.coroutine(group)
        if len(alive) > found.get(name, Alive(0, 0)).count:
            oldest = last - min(births[task] for task in alive)
            lines = Counter(filter(None, (created_at(model, task) for task in alive)))
            created = lines.most_common(1)[0][0] if lines else ""
            found[name] = Alive(len(alive), oldest, site, created)
    return found


def created_at(model: Model, task: int) -> str:
    """The innermost line of the program in the stack that created a task; "" unknown."""
    for frame in creation(model, task):
        if frame.path and not is_library(f"{frame.path}:"):
            return f"{frame.path}:{frame.line} {frame.function}"
    return ""
