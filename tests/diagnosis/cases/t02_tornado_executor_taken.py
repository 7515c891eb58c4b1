"""Handlers share an executor of the class, and slow ones have all of its threads
(https://github.com/tornadoweb/tornado/issues/3098).
truth: both threads of the executor are in `implement` for 0.4 s each; `check` of `/status` waits for up to 1.5 s."""
import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import tornado.httpclient
import tornado.web
from tornado.concurrent import run_on_executor

threads = ThreadPoolExecutor(2, thread_name_prefix="handlers")


class Predict(tornado.web.RequestHandler):
    executor = threads

    async def get(self):
        self.write(await self.implement())

    @run_on_executor
    def implement(self):
        time.sleep(0.4)  # a remote model
        return "ok"


class Status(tornado.web.RequestHandler):
    executor = threads

    async def get(self):
        self.write(await self.check())

    @run_on_executor
    def check(self):
        return "up"


async def main():
    app = tornado.web.Application([("/predict", Predict), ("/status", Status)])
    server = app.listen(0, "127.0.0.1")
    port = next(iter(server._sockets.values())).getsockname()[1]
    client = tornado.httpclient.AsyncHTTPClient(max_clients=50)

    async def ask(path, after):
        await asyncio.sleep(after)
        began = time.monotonic()
        await client.fetch(f"http://127.0.0.1:{port}{path}")
        return time.monotonic() - began

    slow = [ask("/predict", 0) for _ in range(8)]
    quick = [ask("/status", 0.1 * n) for n in range(1, 9)]
    times = await asyncio.gather(*slow, *quick)
    print("truth", f"/status {max(times[8:]):.2f} s")


asyncio.run(main())
