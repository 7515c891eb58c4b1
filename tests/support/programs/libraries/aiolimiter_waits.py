"""A task is over the limit of what may begin in a time."""

import asyncio

from aiolimiter import AsyncLimiter


async def main() -> None:
    limiter = AsyncLimiter(1, 0.02)
    async with limiter:
        pass
    async with limiter:  #: await rate limit (aiolimiter)
        pass


asyncio.run(main())
