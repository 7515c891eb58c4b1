"""Further tools, beyond Kit, for parts that run as tasks of an event loop."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from tests.random_programs import facts
from tests.random_programs.facts import Await
from tests.random_programs.kit import PATIENCE_S, Kit, give_up, now, tid

WITH_OUTCOME = (
    *("Event", "Lock", "Condition", "Semaphore", "Barrier"),
    *("Queue.get", "Queue.put", "Queue.join"),
)
type Function = Callable[..., Coroutine[Any, Any, Any]]


class LoopKit(Kit):
    """Each part runs in a task of its own, whose name is the part's."""

    def task_name(self) -> str:
        try:
            task = asyncio.current_task()
        except RuntimeError:  # a thread without a loop
            return ""
        return task.get_name() if task is not None else ""

    async def rest(self) -> None:
        """Varies the schedule."""
        match self.noise.randrange(4):
            case 0:
                await asyncio.sleep(self.noise.random() * 0.002)
            case 1:
                await asyncio.sleep(0)
            case 2:
                self.pause()

    def task(
        self,
        function: Function,
        *args: object,
        end: str = "done",
        eager: str = "",
        make: Callable[..., asyncio.Task[Any]] | None = None,
    ) -> asyncio.Task[Any]:
        """Creates a task by the loop's factory, or eagerly by "Task" or the "factory"."""
        loop, name = asyncio.get_running_loop(), self.name(function.__name__)
        by_factory = loop.get_task_factory() is not None or eager == "factory"
        row = facts.Task(self.part, name, self.task_name(), end, bool(eager) or by_factory)
        if eager == "Task":
            row.eager = None
        row.creator = tid()
        self.truth.tasks.append(row)

        async def runs() -> Any:
            task = asyncio.current_task()
            assert task is not None
            task.set_name(name)  # an eager task gets its name only now in 3.12
            return await function(*args)

        runs.__qualname__ = runs.__name__ = function.__name__
        coroutine = runs()
        if eager == "Task":
            return asyncio.Task(coroutine, loop=loop, name=name, eager_start=True)
        if eager == "factory":
            task = asyncio.eager_task_factory(loop, coroutine)
            task.set_name(name)
            return task
        return (make or loop.create_task)(coroutine, name=name)

    def expect(self, what: str, **known: Any) -> Await:
        """`with awaiting()` it in the task that awaits; then awaited() and readies()."""
        if what in WITH_OUTCOME:
            known = {"acquired": True} | known
        return Await(self.part, "", f"await {what}", **known)

    @contextmanager
    def awaiting(self, row: Await) -> Iterator[None]:
        row.task = self.task_name()
        row.asked_ns = now()
        try:
            yield
        finally:
            row.done_ns = now()
            self.truth.awaits.append(row)

    async def awaited(self, *rows: Await) -> None:
        """Waits until all of them are awaited; then this task runs."""
        deadline = now() + PATIENCE_S * 1_000_000_000
        while not all(row.asked_ns for row in rows):
            if now() > deadline:
                give_up(f"nobody awaits one of {rows}")
            await asyncio.sleep(self.noise.choice((0, 0.0005)))

    @contextmanager
    def readies(self, *rows: Await) -> Iterator[None]:
        """Goes around code that makes these tasks ready at once, in this task."""
        for row in rows:
            row.waker_task, row.woke_ns = self.task_name(), now()
        yield
        after = now()
        for row in rows:
            row.woken_ns = after

    def ends(self, *rows: Await) -> None:
        """The last thing that this task, or thread, does before it makes those ready."""
        for row in rows:
            row.waker_task, row.woke_ns = self.task_name(), now()
            row.waker_thread = 0 if row.waker_task else tid()
