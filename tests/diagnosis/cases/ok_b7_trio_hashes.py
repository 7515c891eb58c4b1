"""HEALTHY: a trio echo service with a worker channel, threads for hashing (capacity 4), deadlines, 10 clients."""
import hashlib

import trio


def digest(data):
    for _ in range(200):
        data = hashlib.sha256(data).digest()
    return data


async def serve(stream):
    limiter = trio.CapacityLimiter(4)
    async with stream:
        buffer = b""
        async for chunk in stream:
            buffer += chunk
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                found = await trio.to_thread.run_sync(digest, line, limiter=limiter)
                await stream.send_all(found.hex().encode() + b"\n")


async def client(port, n):
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    async with stream:
        for k in range(30):
            with trio.fail_after(5):
                await stream.send_all(b"%d %d\n" % (n, k))
                got = b""
                while not got.endswith(b"\n"):
                    got += await stream.receive_some(1000)
            await trio.sleep(0.03)


async def ticker(send):
    async with send:
        for n in range(10):
            await trio.sleep(0.1)
            await send.send(n)


async def sink(receive):
    async for _ in receive:
        pass


async def main():
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        send, receive = trio.open_memory_channel(3)
        async with trio.open_nursery() as clients:
            clients.start_soon(ticker, send)
            clients.start_soon(sink, receive)
            for n in range(10):
                clients.start_soon(client, port, n)
        nursery.cancel_scope.cancel()


trio.run(main)
