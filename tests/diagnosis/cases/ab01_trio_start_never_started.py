"""A nursery starts a server with `start`, which never calls `task_status.started()`
(after questions about servers that are started so).
truth: `main` waits 1.3 s in nursery.start for `listen`, which serves (sleeps) and never says that it started."""
import trio


async def listen(task_status=trio.TASK_STATUS_IGNORED):
    ready = trio.Event()
    await ready.wait()
    task_status.started()


async def main():
    with trio.move_on_after(1.3):
        async with trio.open_nursery() as nursery:
            await nursery.start(listen)
            print("started")
    print("truth gave up")


trio.run(main)
