"""samples/live_service.py without its visitors: says its port, runs until stdin ends."""

import asyncio
import sys

from samples.live_service import beat, serve


async def main() -> None:
    heart = asyncio.create_task(beat(), name="heartbeat")
    server = await asyncio.start_server(serve, "127.0.0.1")
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    heart.cancel()


asyncio.run(main())
