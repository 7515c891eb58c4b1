"""trio: a lock is kept around a nursery whose tasks want it (as "await inside a lock" reports).
truth: `refresh` has the trio.Lock `state_lock` and waits in a nursery for `reload_part`, which wants the same
lock; ends by move_on_after(1.5)."""
import trio

state = {}


async def reload_part(lock, name):
    await trio.sleep(0.05)
    async with lock:
        state[name] = len(state)


async def refresh(lock):
    async with lock:
        state.clear()
        async with trio.open_nursery() as nursery:
            for name in ("users", "rights", "flags"):
                nursery.start_soon(reload_part, lock, name)


async def reader(lock, n):
    for _ in range(20):
        async with lock:
            state.get("users")
        await trio.sleep(0.03)


async def main():
    lock = trio.Lock()
    async with trio.open_nursery() as nursery:
        for n in range(3):
            nursery.start_soon(reader, lock, n)
        await trio.sleep(0.3)
        with trio.move_on_after(1.5) as scope:
            await refresh(lock)
        print("refresh timed out:", scope.cancelled_caught)


trio.run(main)
