"""Events are looked for every millisecond (invoke-ai/InvokeAI#3256).
truth: `dispatch` wakes some 1,500 times in 2 s and finds three events."""
import asyncio
import queue

events = queue.Queue()


async def dispatch():
    seen = 0
    while seen < 3:
        try:
            events.get_nowait()
            seen += 1
        except queue.Empty:
            pass
        await asyncio.sleep(0.001)


async def main():
    task = asyncio.create_task(dispatch())
    for n in range(3):
        await asyncio.sleep(0.6)
        events.put(n)
    await task


asyncio.run(main())
