"""A coroutine calls the synchronous stub of gRPC.
truth: `get_user` blocks the loop 5 x 80 ms in the call; `heartbeat` is late."""
import asyncio
import time
from concurrent import futures

import grpc

SERVICE, METHOD = "users.Users", "Get"


def get(request, context):
    time.sleep(0.08)
    return b"ada"


handler = grpc.unary_unary_rpc_method_handler(get)
server = grpc.server(futures.ThreadPoolExecutor(2))
server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
port = server.add_insecure_port("127.0.0.1:0")
server.start()
channel = grpc.insecure_channel(f"127.0.0.1:{port}")
stub = channel.unary_unary(f"/{SERVICE}/{METHOD}")


async def get_user():
    return stub(b"1")


async def heartbeat():
    for _ in range(15):
        await asyncio.sleep(0.02)


async def main():
    await asyncio.gather(*(heartbeat() for _ in range(6)), *(get_user() for _ in range(5)))


asyncio.run(main())
server.stop(None)
