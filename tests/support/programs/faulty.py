"""Small programs with one fault each, and what a report must say about it."""

DEADLOCK = """
import threading

left, right, both = threading.Lock(), threading.Lock(), threading.Barrier(2)

def take(first, second):
    with first:
        both.wait()
        if second.acquire(timeout=0.3):
            second.release()

threads = [threading.Thread(target=take, args=pair, name=name)
           for name, pair in (("forth", (left, right)), ("back", (right, left)))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

TASKS_DEADLOCK = """
import asyncio

async def forth(a, b):
    async with a:
        await asyncio.sleep(0.01)
        async with b:
            pass

async def back(a, b):
    async with b:
        await asyncio.sleep(0.01)
        async with a:
            pass

async def main():
    a, b = asyncio.Lock(), asyncio.Lock()
    tasks = [asyncio.create_task(forth(a, b)), asyncio.create_task(back(a, b))]
    await asyncio.wait(tasks, timeout=0.3)

asyncio.run(main())
"""

HELD_ACROSS_AWAIT = """
import asyncio

async def update(lock):
    for _ in range(5):
        async with lock:
            await asyncio.sleep(0.01)

async def main():
    lock = asyncio.Lock()
    await asyncio.gather(*(update(lock) for _ in range(5)))

asyncio.run(main())
"""

ORPHAN = """
import asyncio, gc

async def forgotten():
    await asyncio.get_running_loop().create_future()

async def spawn():
    asyncio.create_task(forgotten())

async def main():
    await asyncio.create_task(spawn())
    await asyncio.sleep(0.02)
    gc.collect()

asyncio.run(main())
"""

BUSY_LOOP = """
import asyncio

async def watch(rounds):
    for _ in range(rounds):
        await asyncio.sleep(0)

asyncio.run(watch(20_000))
"""

STARVED_POOL = """
import asyncio, time
from concurrent.futures import ThreadPoolExecutor

def query(n):
    time.sleep(0.1)
    return n

async def main():
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(2, "asyncio"))
    await asyncio.gather(*(asyncio.to_thread(query, n) for n in range(16)))

asyncio.run(main())
"""

BLOCKING_CALLS = """
import asyncio, time

async def save(n):
    for _ in range(12):
        await asyncio.sleep(0.01)
        time.sleep(0.012)

async def tick():
    while True:
        await asyncio.sleep(0.001)

async def main():
    ticking = [asyncio.create_task(tick()) for _ in range(3)]
    await asyncio.create_task(save(1))
    for task in ticking:
        task.cancel()

asyncio.run(main())
"""

NEVER_YIELDS = """
import asyncio, time

async def solve():
    until = time.thread_time() + 1.3
    while time.thread_time() < until:
        pass

async def tick():
    await asyncio.sleep(0.01)

async def main():
    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    await asyncio.create_task(solve())
    await ticking

asyncio.run(main())
"""

# By name: the program, the finding (or either of two), words of its sentence.
PROGRAMS: dict[str, tuple[str, str | tuple[str, ...], tuple[str, ...]]] = {
    "deadlock": (DEADLOCK, "deadlock", ("`forth`", "`back`", "acquired in `take`")),
    "deadlock of tasks": (TASKS_DEADLOCK, "deadlock", ("`forth Task-", "`back Task-")),
    "lock held across await": (
        HELD_ACROSS_AWAIT,
        "lock held across await",
        ("`update`", "asyncio.Lock across `await sleep`"),
    ),
    "orphan": (ORPHAN, "orphaned task", ("`forgotten`", "`await future`", "`spawn`")),
    "busy loop": (BUSY_LOOP, "busy loop", ("`watch`", "sleep(0)")),
    "starved pool": (STARVED_POOL, "thread-pool starvation", ("2 workers", "asleep in")),
    # Where the kernel is slow to wake it, some of these sleeps are long enough for the other.
    "blocking calls": (
        BLOCKING_CALLS,
        ("blocking call on the loop thread", "loop blocked"),
        ("`save`", "`sleep`"),
    ),
    "never yields": (NEVER_YIELDS, "task never yields", ("`solve`", "computing")),
}
