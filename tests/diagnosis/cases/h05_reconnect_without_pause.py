"""A task connects again at once when it is refused
(https://github.com/chris-mc1/homeconnect_local_hass/issues/475).
truth: `keep_connected` is refused some thousand times in 1 s; nothing else runs well."""
import asyncio
import socket
import time


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def keep_connected(port):
    end = time.monotonic() + 1
    while time.monotonic() < end:
        try:
            await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            continue


asyncio.run(keep_connected(free_port()))
