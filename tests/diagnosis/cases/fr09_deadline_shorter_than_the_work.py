"""After github.com/jumpstarter-dev/jumpstarter/issues/141: calls end with DEADLINE_EXCEEDED.

Truth: `flash` takes 0.8 s, since it downloads from a slow server; the client's deadline in
`call` is 0.35 s, so every call is given up and asked again.
"""

import asyncio

import grpc
import grpc.aio


async def download():
    for _ in range(8):
        await asyncio.sleep(0.1)
    return b"image"


async def flash(request, context):
    return await download()


async def call(channel, name):
    method = channel.unary_unary("/driver.Flasher/Flash")
    for _ in range(3):
        try:
            return await method(name, timeout=0.35)
        except grpc.aio.AioRpcError as error:
            last = error.code()
    return last


async def main():
    server = grpc.aio.server()
    handlers = {"Flash": grpc.unary_unary_rpc_method_handler(flash)}
    generic = grpc.method_handlers_generic_handler("driver.Flasher", handlers)
    server.add_generic_rpc_handlers((generic,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        print(await asyncio.gather(*(call(channel, b"board%d" % n) for n in range(4))))
    await server.stop(None)


asyncio.run(main())
