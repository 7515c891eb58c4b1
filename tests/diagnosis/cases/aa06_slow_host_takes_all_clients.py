"""Requests to one slow host take all clients of tornado's AsyncHTTPClient; the others queue
(https://github.com/klen/graphite-beacon/pull/133).
truth: max_clients=4 all wait for /slow (0.35 s each, `poll_slow`); `check` of /fast waits 0.7 s in the queue."""
import asyncio
import time

from tornado.httpclient import AsyncHTTPClient
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

late = []


class Slow(RequestHandler):
    async def get(self):
        await asyncio.sleep(0.35)
        self.write("slow")


class Fast(RequestHandler):
    def get(self):
        self.write("fast")


async def poll_slow(client, base):
    await client.fetch(base + "/slow")


async def check(client, base):
    begun = time.monotonic()
    await client.fetch(base + "/fast")
    late.append(time.monotonic() - begun)


async def main():
    sock, port = bind_unused_port()
    server = HTTPServer(Application([("/slow", Slow), ("/fast", Fast)]))
    server.add_socket(sock)
    client = AsyncHTTPClient(force_instance=True, max_clients=4)
    base = f"http://127.0.0.1:{port}"
    tasks = [asyncio.create_task(poll_slow(client, base)) for _ in range(8)]
    await asyncio.sleep(0.02)
    tasks += [asyncio.create_task(check(client, base)) for _ in range(6)]
    await asyncio.gather(*tasks)
    print("truth fast took", max(late))
    server.stop()


asyncio.run(main())
