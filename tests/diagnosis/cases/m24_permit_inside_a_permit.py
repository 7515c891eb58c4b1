"""A task with a permit of a trio.Semaphore calls what needs one, too (https://github.com/python-
trio/trio/issues/472).
truth: trio.Semaphore(2): `fetch_album` has a permit and calls `fetch_track`, which needs one
too; both wait for each other; fail_after 1 s. deadlock."""
import trio
permits = trio.Semaphore(2)


async def fetch_track(i):
    async with permits: await trio.sleep(0.01)


async def fetch_album(i):
    async with permits:
        await trio.sleep(0.05)
        for t in range(3): await fetch_track(t)


async def main():
    with trio.move_on_after(1.3) as scope:
        async with trio.open_nursery() as n:
            for i in range(4): n.start_soon(fetch_album, i)
    print("truth cancelled", scope.cancelled_caught)
trio.run(main)
