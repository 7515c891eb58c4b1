"""A tornado service hands short blocking calls to an executor with enough threads.
truth: nothing waits for long."""
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import tornado.httpclient
import tornado.web
from tornado.concurrent import run_on_executor


class Look(tornado.web.RequestHandler):
    executor = ThreadPoolExecutor(8, thread_name_prefix="handlers")

    async def get(self):
        self.write(await self.read())

    @run_on_executor
    def read(self):
        time.sleep(0.02)
        return "ok"


async def main():
    server = tornado.web.Application([("/", Look)]).listen(0, "127.0.0.1")
    port = next(iter(server._sockets.values())).getsockname()[1]
    client = tornado.httpclient.AsyncHTTPClient(max_clients=20)

    async def user():
        for _ in range(20):
            await client.fetch(f"http://127.0.0.1:{port}/")
            await asyncio.sleep(0.05)

    await asyncio.gather(*(user() for _ in range(5)))


asyncio.run(main())
