"""Equal awaits of one coroutine, one after the other.
After https://github.com/davidusb-geek/emhass/issues/894 and reports like it. `refresh`
awaits `check` for one host after the other: 14 times about 60 ms, though none needs the
result of the one before; gathering them would take 60 ms."""

import asyncio
import time


async def answer(reader, writer):
    try:
        await reader.readline()
        await asyncio.sleep(0.06)
        writer.write(b"up\n")
        await writer.drain()
    finally:
        writer.close()


async def check(port, host):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(host.encode() + b"\n")
    line = await reader.readline()
    writer.close()
    return line.strip() == b"up"


async def refresh(port, hosts):
    state = {}
    for host in hosts:
        state[host] = await check(port, host)
    return state


async def ui():
    while True:
        await asyncio.sleep(0.033)


async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    frames = asyncio.create_task(ui())
    began = time.monotonic()
    for _ in range(2):
        state = await refresh(port, [f"sensor-{n}" for n in range(14)])
        await asyncio.sleep(0.2)
    print(sum(state.values()), f"up after {time.monotonic() - began:.2f} s")
    frames.cancel()
    server.close()


asyncio.run(main())
