"""Each call builds its own TLS context, which reads all root certificates
(https://github.com/blakeblackshear/frigate-hass-integration/pull/1112,
https://github.com/sethmlarson/truststore/pull/171).
truth: `call_upstream` spends 15-40 ms in SSLContext.load_verify_locations per request, on the loop's thread;
all 12 polls wait."""
import asyncio
import ssl

import certifi


def make_context():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certifi.where())
    return context


async def call_upstream(n):
    context = make_context()
    await asyncio.sleep(0.005)
    return context.verify_mode, n


async def poll_sensor(n):
    for _ in range(8):
        await call_upstream(n)
        await asyncio.sleep(0.02)


async def main():
    await asyncio.gather(*(poll_sensor(n) for n in range(12)))


asyncio.run(main())
