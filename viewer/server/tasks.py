"""The tasks of a coroutine as the page lists them."""

from viewer.analysis.causes.lanes import name_of_task
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.steps import Steps
from viewer.render.json.values import Json
from viewer.trace.columns import AWAIT, READY, RUNNING, Column, Lanes
from viewer.trace.model import Model

_MOST_TASKS = 200  # of a coroutine, the slowest
_MOST_EACH, _MOST_SHOWN = 5, 40  # of each coroutine where all are shown, and in all


def tasks_json(model: Model, lanes: Lanes, coro: str | None, site: str) -> Json:
    """The tasks of a coroutine, the longest ready time first; without one, some of each."""
    owned, slices, engine = model.owners, model.trace.slices, model.trace.engine
    every = len(owned.task_id)
    groups = range(len(owned.group_head))
    wanted = {
        group for group in groups if coro is None or model.coroutine(group) == (coro, site)
    }
    stats, own_end_ns = {}, Steps.of(model).own_end_ns
    for kind in (READY, RUNNING, AWAIT):
        key = model.task_keys(kind)
        stats[kind] = engine.grouped_stats(slices.start_ns, own_end_ns, key, every)
    chosen = [
        task
        for task in range(every)
        if owned.task_group[task] in wanted and any(stats[kind].count[task] for kind in stats)
    ]
    chosen.sort(key=lambda task: -stats[READY].max[task])
    count = len(chosen)
    if coro is None:
        chosen = _some_of_each(chosen, owned.task_group)
    rows, ledger = list[Json](), Ledger.of(model)
    for task in chosen[:_MOST_TASKS]:
        low, high = lanes.offset[task], lanes.offset[task + 1]
        parent = ledger.parent_of(task)
        rows.append(
            {
                "lane": task,
                "task": owned.task_id[task],
                "name": name_of_task(model, task),
                "coro": model.coroutine(owned.task_group[task])[0],
                "parent": name_of_task(model, parent) if parent >= 0 else "",
                "start_ns": lanes.start_ns[low] - model.start_ns if low < high else 0,
                "end_ns": lanes.end_ns[high - 1] - model.start_ns if low < high else 0,
                "steps": stats[RUNNING].count[task],
                "ready_ns": stats[READY].total[task],
                "worst_ready_ns": stats[READY].max[task],
                "running_ns": stats[RUNNING].total[task],
                "longest_step_ns": stats[RUNNING].max[task],
                "await_ns": stats[AWAIT].total[task],
            }
        )
    return {"coro": coro or "", "site": site, "count": count, "tasks": rows}


def _some_of_each(tasks: list[int], group_of: Column) -> list[int]:
    """At most so many tasks of a coroutine, in the order given; those of one stay together."""
    of: dict[int, list[int]] = {}
    for task in tasks:
        of.setdefault(group_of[task], []).append(task)
    return [task for same in of.values() for task in same[:_MOST_EACH]][:_MOST_SHOWN]
