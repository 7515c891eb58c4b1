"""A PeriodicCallback of tornado compresses and writes metrics, beside web sockets.
truth: `flush_metrics` takes 100 ms each time, mostly in zlib.compress; messages are late."""
import json
import os
import random
import tempfile
import zlib

import tornado.ioloop
import tornado.web
import tornado.websocket
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

METRICS = []
FILE = os.path.join(tempfile.mkdtemp(), "metrics.z")


def flush_metrics():
    data = json.dumps(METRICS[-20000:]).encode() * 6
    packed = zlib.compress(data, 6)
    with open(FILE, "ab") as file:
        file.write(packed)


class Echo(tornado.websocket.WebSocketHandler):
    async def on_message(self, message):
        METRICS.extend({"value": random.random(), "n": n} for n in range(80))
        await self.write_message(message[::-1])


async def chat(port, n):
    socket = await tornado.websocket.websocket_connect(f"ws://127.0.0.1:{port}/")
    for k in range(50):
        await socket.write_message(f"{n}:{k}")
        await socket.read_message()
        await tornado.gen.sleep(0.03)
    socket.close()


async def main():
    app = tornado.web.Application([("/", Echo)])
    socket, port = bind_unused_port()
    HTTPServer(app).add_socket(socket)
    callback = tornado.ioloop.PeriodicCallback(flush_metrics, 250)
    callback.start()
    await tornado.gen.multi([chat(port, n) for n in range(10)])
    callback.stop()


tornado.ioloop.IOLoop.current().run_sync(main)
