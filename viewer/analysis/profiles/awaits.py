"""The stack of an await: the coroutines that await each other."""

from tracer import schema as s
from viewer.analysis.profiles.profile import Place, place_of, places_of
from viewer.trace.model import Model


def await_frames(model: Model, i: int, task: int) -> tuple[Place, ...]:
    """The coroutines that await each other; if unknown, the line and the task's function."""
    args = model.trace.args(model.trace.slices.event[i])
    site, stack = args.get(s.ARG_SITE), args.get(s.ARG_STACK)
    if isinstance(stack, str) and stack:
        return places_of(stack)
    name, where = model.coroutine(model.owners.task_group[task])
    own = place_of(where) if where else Place(name)
    # The site of a first slice is that of the function, not of the await.
    is_first = i == model.owners.task_head[task]
    if not isinstance(site, str) or not site or is_first:
        return (own,)
    inner = place_of(site)
    return (
        (inner,) if (inner.function, inner.path) == (own.function, own.path) else (inner, own)
    )
