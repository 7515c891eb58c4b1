"""Both ends of a stream send a large message before they read (https://github.com/python/asyncio/issues/381).
wanted: circle: `left` waits in drain for `right` to read, `right` waits in drain for `left` to read; ended by time-out 1.5 s"""
import asyncio, socket


async def peer(name, sock, other):
    reader, writer = await asyncio.open_connection(sock=sock)
    message = name.encode() * 2_000_000
    writer.write(message)
    await writer.drain()
    got = await reader.readexactly(len(other) * 2_000_000)
    writer.close()
    return len(got)


async def left(sock): return await peer("left", sock, "right")
async def right(sock): return await peer("right", sock, "left")


async def main():
    a, b = socket.socketpair()
    try:
        print(await asyncio.wait_for(asyncio.gather(left(a), right(b)), 1.5))
    except TimeoutError:
        print("truth timed out")

asyncio.run(main())
