"""How tasks of the C module are stepped, whatever loop runs them: learned from one of ours."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Any


class _Loop:
    """As much of a loop as a task needs that we step by hand."""

    def __init__(self) -> None:
        self.scheduled: list[Any] = []

    def get_debug(self) -> bool:
        return False

    def call_soon(self, callback: "Any", *_: "Any", context: object = None) -> None:
        self.scheduled.append(callback)


async def _wait(future: "Any") -> None:
    await future


def facts(asyncio: "ModuleType") -> "dict[str, Any]":
    """What a task hands to its loop: the object that makes its first step, and the builtin
    that goes on when what it awaited is done. Nothing is left of the task that shows them."""
    tasks, futures = asyncio.tasks, asyncio.futures
    c_task = getattr(tasks, "_CTask", None)
    if c_task is None:
        return {}
    loop = _Loop()
    future = futures._CFuture(loop=loop)
    coroutine = _wait(future)
    name = "".join(("tracer", " looks"))  # an object that nobody else has
    task = c_task(coroutine, loop=loop, name=name)
    task._log_destroy_pending = False
    first = loop.scheduled.pop()
    running = asyncio.events._get_running_loop()
    current = tasks.current_task(running) if running else None
    if current is not None:  # without one, in a callback, 3.12 refuses to swap
        tasks._swap_current_task(running, None)
    asyncio.events._set_running_loop(loop)
    try:
        first()
    finally:
        asyncio.events._set_running_loop(running)
        if current is not None:
            tasks._swap_current_task(running, current)
    wakeup = future._callbacks[0][0]
    future.remove_done_callback(wakeup)
    coroutine.close()
    iterator = type(future.__await__())
    return {
        "step": first,
        "task": task,
        "task_name": name,
        "wakeup": wakeup,
        "future_iterator": iterator,
    }
