"""The trace must show `call_backend` tasks piling up in `await future`: no time-out.

Every third request goes to a backend that never answers. The service stays quick for others:
only the number of waiting tasks tells. `accept` makes them all, `check_health` none.
"""

import asyncio
from collections import Counter

REQUESTS = 900
BATCH = 30
HEALTH_CHECKS = 10

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


def accept(number: int) -> asyncio.Task[None]:
    return asyncio.create_task(call_backend(number), name=f"request-{number}")


def check_health(number: int) -> list[asyncio.Task[None]]:
    """Calls that are always answered."""
    return [
        asyncio.create_task(call_backend(1), name=f"health-{number}-{n}")
        for n in range(HEALTH_CHECKS)
    ]


async def main() -> None:
    calls = set()
    for number in range(REQUESTS):
        calls.add(accept(number))
        if number % BATCH == BATCH - 1:
            checks = check_health(number)
            await asyncio.sleep(0.02)
            await asyncio.gather(*checks)
    waiting = sum(not call.done() for call in calls)
    print(f"{waiting} of {REQUESTS} tasks are waiting for an answer")


asyncio.run(main())
print(", ".join(f"{what}: {count}" for what, count in sorted(outcomes.items())))
