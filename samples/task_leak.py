"""The trace must show `call_backend` tasks piling up in `await future`: no time-out.

Every third request goes to a backend that never answers. The service stays quick for everybody
else, so nothing but the number of waiting tasks tells.
"""

import asyncio
from collections import Counter

REQUESTS = 900
BATCH = 30

outcomes: Counter[str] = Counter()


def backend(number: int) -> asyncio.Future[int]:
    """Answers within 2 ms, or, for every third request, never."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[int] = loop.create_future()
    if number % 3:
        loop.call_later(0.002, answer.set_result, number)
    return answer


async def call_backend(number: int) -> None:
    try:
        await backend(number)
        outcomes["answered"] += 1
    except asyncio.CancelledError:
        outcomes["still waiting at the end"] += 1
        raise


async def main() -> None:
    calls = set()
    for number in range(REQUESTS):
        calls.add(asyncio.create_task(call_backend(number), name=f"request-{number}"))
        if number % BATCH == BATCH - 1:
            await asyncio.sleep(0.02)
    waiting = sum(not call.done() for call in calls)
    print(f"{waiting} of {REQUESTS} tasks are waiting for an answer")


asyncio.run(main())
print(", ".join(f"{what}: {count}" for what, count in sorted(outcomes.items())))
