"""Jobs are sent before results are read, both by channels that are full
(https://github.com/python-trio/trio/issues/472).
truth: workers send results (channel of 2) while main `feed` sends jobs before it reads
results: circle. `feed` waits in send of jobs, workers wait in send of results. Ends by
move_on_after(1)."""
import trio


async def worker(jobs, results):
    async for j in jobs:
        await trio.sleep(0.001)
        await results.send(j * 2)


async def feed(jobs, results):
    for i in range(30): await jobs.send(i)
    await jobs.aclose()
    return [await results.receive() for _ in range(30)]


async def main():
    js, jr = trio.open_memory_channel(2); rs, rr = trio.open_memory_channel(2)
    with trio.move_on_after(1.2) as scope:
        async with trio.open_nursery() as n:
            for _ in range(3): n.start_soon(worker, jr, rs)
            n.start_soon(feed, js, rr)
    print("truth cancelled", scope.cancelled_caught)
trio.run(main)
