"""What a program sees of trio: instruments, tracebacks, contexts, signals, deadlines."""

import contextvars
import os
import signal
import sys
import traceback

import trio
import trio.testing

value: contextvars.ContextVar[str] = contextvars.ContextVar("value", default="default")


class Told(trio.abc.Instrument):
    """Counts what trio tells it."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        self.steps.append(f"spawned {task.name}")

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        self.steps.append(f"exited {task.name}")


class Broken(trio.abc.Instrument):
    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        raise ValueError("in an instrument")


async def child(name: str) -> None:
    value.set(name)
    await trio.sleep(0)
    print("child", value.get(), trio.lowlevel.current_task().name)


async def fails() -> None:
    await trio.sleep(0)
    raise ValueError("in a task")


async def waits_forever() -> None:
    try:
        await trio.sleep_forever()
    except trio.Cancelled as error:
        print("cancelled", [frame.name for frame in traceback.extract_tb(error.__traceback__)])
        raise


async def main() -> None:
    told, broken = Told(), Broken()
    trio.lowlevel.add_instrument(told)
    trio.lowlevel.add_instrument(broken)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(child, "a")
        nursery.start_soon(waits_forever)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    print(value.get(), told.steps)
    try:
        trio.lowlevel.remove_instrument(broken)
    except KeyError:
        print("it is gone")
    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fails)
    except* ValueError as group:
        (error,) = group.exceptions
        print([frame.name for frame in traceback.extract_tb(error.__traceback__)])
    print(trio.lowlevel.current_statistics().tasks_living)
    with trio.move_on_after(0.001) as scope:
        await trio.sleep_forever()
    print(scope.cancelled_caught)
    lock = trio.Lock()
    async with lock:
        print(lock.statistics().owner is trio.lowlevel.current_task())
    try:
        os.kill(os.getpid(), signal.SIGINT)
        await trio.sleep_forever()
    except KeyboardInterrupt:
        print("interrupted")
    try:
        await trio.to_thread.run_sync(trio.from_thread.run, fails)
    except ValueError as error:
        print("from the thread", error)


trio.run(main)
try:
    trio.run(fails)
except ValueError as error:
    print([frame.name for frame in traceback.extract_tb(error.__traceback__)])
sys.exit(7)
