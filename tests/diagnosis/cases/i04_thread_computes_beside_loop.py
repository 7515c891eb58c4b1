"""Work is moved to a thread, but it is pure Python, so the loop waits for the GIL
(https://github.com/Woahai321/list-sync/issues/80).
truth: `analyse` computes 1 s in a worker thread; each of `health`'s steps waits 5 ms for the GIL."""
import asyncio
import time


def analyse(words):
    end, found = time.perf_counter() + 1.2, 0
    while time.perf_counter() < end:
        for word in words:
            found += word.count("a") + len(word) % 3
    return found


async def health():
    while True:
        await asyncio.sleep(0.001)


async def main():
    checks = [asyncio.create_task(health()) for _ in range(3)]
    await asyncio.to_thread(analyse, ["banana", "apple", "pear"] * 100)
    for check in checks:
        check.cancel()


asyncio.run(main())
