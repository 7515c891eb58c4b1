"""A task is over the limit of what may begin in an hour, and gives up."""

import asyncio
import contextlib

from aiolimiter import AsyncLimiter


async def main() -> None:
    limiter = AsyncLimiter(1, 3600)
    async with limiter:
        pass
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            async with limiter:  #: await rate limit (aiolimiter)
                pass


asyncio.run(main())
