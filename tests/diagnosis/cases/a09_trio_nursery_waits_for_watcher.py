"""A nursery ends only when its watcher does, and nobody sets the watcher's event
(https://github.com/python-trio/trio/issues/1521).
wanted: the nursery of `run_job` waited 1.3 s for `watch_config`, which waits for an Event nobody sets; cancelled by time-out"""
import trio


async def watch_config(changed):
    await changed.wait()
    print("reload")


async def step(i):
    await trio.sleep(0.05 * i)


async def run_job():
    changed = trio.Event()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch_config, changed)
        for i in range(4):
            nursery.start_soon(step, i)


async def main():
    with trio.move_on_after(1.5) as scope:
        await run_job()
    print("truth", scope.cancelled_caught)

trio.run(main)
