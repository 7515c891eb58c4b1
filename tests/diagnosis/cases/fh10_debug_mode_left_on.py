"""asyncio's debug mode left on in production ("asyncio.run(debug=True) makes the service several times slower").

Truth: with debug=True each call_soon, future and task notes the whole stack; the same 10,000
messages take several times as long.
"""

import asyncio
import time


async def handle(number):
    await asyncio.sleep(0)
    return number


async def serve(count):
    for start in range(0, count, 100):
        await asyncio.gather(*(handle(n) for n in range(start, start + 100)))


async def main(count=10_000):
    begun = time.perf_counter()
    await serve(count)
    return time.perf_counter() - begun


plain = asyncio.run(main())
debug = asyncio.run(main(), debug=True)
print(f"truth: {debug:.2f} s with debug, {plain:.2f} s without")
