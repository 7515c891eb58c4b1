"""tenacity retries a refused connection without waiting, in several tasks
(https://github.com/aleph-im/pyaleph/pull/28).
truth: 4 tasks connect again and again in `connect` for 1 s and are refused each time."""
import asyncio
import socket

from tenacity import retry, stop_after_delay


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@retry(stop=stop_after_delay(1))
async def connect(port):
    await asyncio.open_connection("127.0.0.1", port)


async def main():
    port = free_port()
    await asyncio.gather(*(connect(port) for _ in range(4)), return_exceptions=True)


asyncio.run(main())
