"""A client of grpc.aio: one answer, a stream of them, one to a stream."""

import asyncio
from collections.abc import AsyncIterator

import grpc
import grpc.aio


async def slow(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
    await asyncio.sleep(0.01)
    return request


async def stream(request: bytes, context: grpc.aio.ServicerContext) -> AsyncIterator[bytes]:
    for _ in range(2):
        await asyncio.sleep(0.01)
        yield request


async def joined(requests: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
    return b"".join([request async for request in requests])


handlers = {
    "slow": grpc.unary_unary_rpc_method_handler(slow),
    "stream": grpc.unary_stream_rpc_method_handler(stream),
    "joined": grpc.stream_unary_rpc_method_handler(joined),
}


async def main() -> None:
    server = grpc.aio.server()
    service = grpc.method_handlers_generic_handler("service", handlers)
    server.add_generic_rpc_handlers((service,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await channel.channel_ready()  #: await connect (grpc)
        await channel.unary_unary("/service/slow")(b"")  #: await response (grpc)
        answers = channel.unary_stream("/service/stream")(b"")
        async for _ in answers:  #: await message (grpc)
            pass
        call = channel.stream_unary("/service/joined")()
        await call.write(b"1")  #: await send (grpc)
        await call.done_writing()
        await call
    await server.stop(None)


asyncio.run(main())
