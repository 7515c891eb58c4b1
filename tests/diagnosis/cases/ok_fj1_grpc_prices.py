"""Healthy: grpc.aio on one channel, a few clients, deadlines that hold."""

import asyncio
import random

import grpc


async def price(request, context):
    await asyncio.sleep(random.uniform(0.001, 0.01))
    return b"42"


async def shopper(channel):
    call = channel.unary_unary("/shop.Prices/Get")
    for _ in range(20):
        await call(b"apple", timeout=2)
        await asyncio.sleep(random.uniform(0.02, 0.05))


async def main():
    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(price)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("shop.Prices", {"Get": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        await asyncio.gather(*(shopper(channel) for _ in range(8)))
    await server.stop(None)


asyncio.run(main())
