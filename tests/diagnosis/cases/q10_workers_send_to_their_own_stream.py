"""Workers put new links into the bounded stream that only they receive from
(after reports of crawlers on anyio's memory object streams that stop after a while).
truth: all 3 `crawl` wait in `send`, from 0.1 s on to the time-out of 1.3 s."""
import anyio


async def crawl(links, found, seen):
    async for depth, page in links:
        await anyio.sleep(0.01)
        seen.append(page)
        if depth < 4:
            for n in range(4):
                await found.send((depth + 1, f"{page}/{n}"))


async def main():
    found, links = anyio.create_memory_object_stream(max_buffer_size=8)
    seen = []
    with anyio.move_on_after(1.4) as scope:
        async with anyio.create_task_group() as group:
            await found.send((0, "start"))
            for n in range(3):
                group.start_soon(crawl, links, found, seen, name=f"crawler-{n}")
    print("truth", scope.cancelled_caught, len(seen))


anyio.run(main)
