"""As eg04, with anyio's semaphore on trio: a permit is lost by whoever is cancelled with it.
truth: two `export` are cancelled by their time limits with the two permits, before anybody waits;
later 5 `render` wait for one (acquire in `render`, line 18) until they are cancelled, 1.2 s each."""
import anyio


async def export(permits):
    with anyio.move_on_after(0.05):
        await permits.acquire()
        await anyio.sleep(1)
        permits.release()


async def main():
    permits = anyio.Semaphore(2)

    async def render(name):
        await permits.acquire()
        try:
            await anyio.sleep(0.02)
        finally:
            permits.release()

    async with anyio.create_task_group() as group:
        group.start_soon(export, permits)
        group.start_soon(export, permits)
    await anyio.sleep(0.1)
    with anyio.move_on_after(1.2):
        async with anyio.create_task_group() as group:
            for name in range(5):
                group.start_soon(render, name)


anyio.run(main, backend="trio")
