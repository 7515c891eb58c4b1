"""Parts: tasks that wait for each other, end, fail, and are cancelled."""

import asyncio
import contextlib

from tests.random_programs.facts import Await
from tests.random_programs.kit import now
from tests.random_programs.loop_kit import LoopKit

SHORT_S = 0.003


async def event(kit: LoopKit) -> object:
    event = asyncio.Event()
    rows = [kit.expect("Event") for _ in range(kit.random.randrange(1, 4))]

    async def waiter(row: Await) -> None:
        await kit.rest()
        with kit.awaiting(row):
            await event.wait()

    tasks = [kit.task(waiter, row) for row in rows]
    await kit.awaited(*rows)
    with kit.readies(*rows):
        event.set()
    await asyncio.gather(*tasks)
    return len(rows)


async def lock(kit: LoopKit) -> object:
    """The lock is passed on in order; one waiter may give up."""
    lock = asyncio.Lock()
    mine = kit.task_name()
    rows = [kit.expect("Lock", owner_task=mine) for _ in range(kit.random.randrange(1, 4))]
    order: list[int] = []

    async def waiter(number: int) -> None:
        with kit.awaiting(rows[number]):
            await lock.acquire()
        order.append(number)
        await kit.rest()
        with kit.readies(*rows[number + 1 : number + 2]):
            lock.release()

    async def gives_up(row: Await) -> None:
        with kit.awaiting(row):
            await lock.acquire()

    async with lock:
        tasks = []
        for number, row in enumerate(rows):
            tasks.append(kit.task(waiter, number))
            await kit.awaited(row)
        if kit.random.random() < 0.5:
            row = kit.expect("Lock", owner_task=mine, acquired=False)
            task = kit.task(gives_up, row, end="cancelled")
            await kit.awaited(row)
            with kit.readies(row):
                task.cancel()
            await asyncio.wait([task])
        waking = kit.readies(rows[0])
        waking.__enter__()
    waking.__exit__(None, None, None)
    await asyncio.gather(*tasks)
    return order


async def condition(kit: LoopKit) -> object:
    condition = asyncio.Condition()
    rows = [kit.expect("Condition") for _ in range(kit.random.randrange(1, 4))]

    async def waiter(row: Await) -> None:
        async with condition:
            with kit.awaiting(row):
                await condition.wait()

    tasks = [kit.task(waiter, row) for row in rows]
    await kit.awaited(*rows)
    async with condition:
        with kit.readies(*rows):
            condition.notify_all()
    await asyncio.gather(*tasks)
    return len(rows)


async def semaphore(kit: LoopKit) -> object:
    semaphore = asyncio.Semaphore(1)
    await semaphore.acquire()
    row = kit.expect("Semaphore")

    async def waiter() -> None:
        with kit.awaiting(row):
            await semaphore.acquire()
        await kit.rest()
        semaphore.release()

    task = kit.task(waiter)
    await kit.awaited(row)
    with kit.readies(row):
        semaphore.release()
    await task
    return semaphore.locked()


async def barrier(kit: LoopKit) -> object:
    rows = [kit.expect("Barrier") for _ in range(kit.random.randrange(1, 4))]
    barrier = asyncio.Barrier(len(rows) + 1)

    async def waiter(row: Await) -> None:
        with kit.awaiting(row):
            await barrier.wait()

    tasks = [kit.task(waiter, row) for row in rows]
    await kit.awaited(*rows)
    with kit.readies(*rows):
        await barrier.wait()
    await asyncio.gather(*tasks)
    return barrier.n_waiting


async def queue(kit: LoopKit) -> object:
    """get() that waits for put(), put() that waits for get(), join()."""
    fifo: asyncio.Queue[int] = asyncio.Queue(1)
    what = kit.random.choice(("Queue.get", "Queue.put", "Queue.join"))
    row = kit.expect(what)
    if what != "Queue.get":
        fifo.put_nowait(0)

    async def waiter() -> None:
        with kit.awaiting(row):
            if what == "Queue.get":
                await fifo.get()
            elif what == "Queue.put":
                await fifo.put(1)
            else:
                await fifo.join()

    task = kit.task(waiter)
    await kit.awaited(row)
    with kit.readies(row):
        if what == "Queue.get":
            fifo.put_nowait(5)
        else:
            fifo.get_nowait()
            fifo.task_done()
    await task
    return what, fifo.qsize()


async def future(kit: LoopKit) -> object:
    """A future of the loop gets a result or an exception, or is cancelled."""
    future = asyncio.get_running_loop().create_future()
    how = kit.random.choice(("result", "exception", "cancelled"))
    row = kit.expect("future")

    async def waiter() -> str:
        try:
            with kit.awaiting(row):
                await future
        except (ValueError, asyncio.CancelledError) as error:
            return type(error).__name__
        return "result"

    task = kit.task(waiter)
    await kit.awaited(row)
    with kit.readies(row):
        if how == "result":
            future.set_result(None)
        elif how == "exception":
            future.set_exception(ValueError())
        else:
            future.cancel()
    return how, await task


async def child(kit: LoopKit) -> object:
    """A task is awaited by its creator; it ends, fails or is cancelled."""
    end = kit.random.choice(("done", "failed: ValueError", "cancelled"))
    row = kit.expect("task")

    async def ends() -> int:
        await kit.awaited(row)
        await kit.rest()
        kit.ends(row)
        if end == "cancelled":
            raise asyncio.CancelledError
        if end != "done":
            raise ValueError("of the child")
        return 3

    task = kit.task(ends, end=end)
    row.name += f" {task.get_name()}"
    try:
        with kit.awaiting(row):
            await task
    except (ValueError, asyncio.CancelledError) as error:
        return type(error).__name__
    return task.result()


async def children(kit: LoopKit) -> object:
    """gather, wait and TaskGroup with several children; the last one ends the await."""
    how = kit.random.choice(("gather", "wait", "TaskGroup"))
    gates = [asyncio.Event() for _ in range(kit.random.randrange(1, 4))]
    row = kit.expect(how)

    async def ends(number: int) -> int:
        await gates[number].wait()
        if number == len(gates) - 1:
            kit.ends(row)
        else:
            gates[number + 1].set()
        return number

    async def begins() -> None:
        await kit.awaited(row)
        gates[0].set()

    first = kit.task(begins)
    group = asyncio.TaskGroup()
    if how == "TaskGroup":
        await group.__aenter__()
    make = group.create_task if how == "TaskGroup" else None
    tasks = [kit.task(ends, number, make=make) for number in range(len(gates))]
    with kit.awaiting(row):
        if how == "gather":
            await asyncio.gather(*tasks)
        elif how == "wait":
            await asyncio.wait(tasks)
        else:
            await group.__aexit__(None, None, None)
    await first
    return how, [task.result() for task in tasks]


async def cancelled(kit: LoopKit) -> object:
    """Cancels a task while it awaits, before its first step, and one that resists."""
    row = kit.expect("Event", acquired=False)
    never = asyncio.Event()

    async def waiter() -> None:
        with kit.awaiting(row):
            await never.wait()

    async def resists() -> str:
        try:
            await never.wait()
        except asyncio.CancelledError:
            await kit.rest()
        return "resisted"

    task, other = kit.task(waiter, end="cancelled"), kit.task(resists)
    await kit.awaited(row)
    await asyncio.sleep(0)
    with kit.readies(row):
        task.cancel()
    other.cancel()
    await asyncio.wait([task, other])
    if asyncio.get_running_loop().get_task_factory() is None:
        unborn = kit.task(resists, end="cancelled")
        unborn.cancel()
        await asyncio.wait([unborn])
    return task.cancelled(), other.result()


async def timeout(kit: LoopKit) -> object:
    """A time-out ends an await; asyncio.timeout or wait_for."""
    # The time-out of a task that a busy machine held up is due before it begins.
    row = kit.expect("Event", waker="timer", overdue="Timeout._on_timeout", acquired=False)
    how = kit.random.choice(("timeout", "wait_for"))
    try:
        with kit.awaiting(row):
            if how == "timeout":
                async with asyncio.timeout(SHORT_S):
                    await asyncio.Event().wait()
            else:
                await asyncio.wait_for(asyncio.Event().wait(), SHORT_S)
    except TimeoutError:
        return "timed out"
    return "no time-out"


async def sleeper(kit: LoopKit) -> object:
    row = kit.expect("sleep", waker="timer")
    with kit.awaiting(row):
        await asyncio.sleep(SHORT_S)
    row.woke_ns = row.asked_ns + int(SHORT_S * 0.9e9)  # it may be due up to a clock tick early
    for _ in range(kit.random.randrange(5)):
        await asyncio.sleep(0)
    return "slept"


async def later(kit: LoopKit) -> object:
    """A callback of a timer ends an await."""
    event = asyncio.Event()
    row = kit.expect("Event", waker="timer")

    row.woke_ns = now() + 1_000_000  # it is ready from the moment when this is due, or later
    asyncio.get_running_loop().call_later(0.002, event.set)
    with kit.awaiting(row):
        await event.wait()
    return event.is_set()


async def regions(kit: LoopKit) -> object:
    """Regions in interleaved tasks, each on its own task's track."""

    async def works(depth: int, path: list[str]) -> None:
        with kit.region(*path) as inner:
            await kit.rest()
            kit.say(*inner)
            if depth:
                await works(depth - 1, inner)
            await asyncio.sleep(0)

    async def fails() -> None:
        with contextlib.suppress(KeyError), kit.region():
            await kit.rest()
            raise KeyError(1)

    tasks = [kit.task(works, 2, []) for _ in range(2)]
    await asyncio.gather(*tasks, kit.task(fails))
    return len(tasks)
