"""Healthy: a tornado web socket server with periodic callbacks, 20 clients that talk to it."""
import asyncio
import json

import tornado.httpserver
import tornado.ioloop
import tornado.netutil
import tornado.web
import tornado.websocket

ROOM = set()


class Chat(tornado.websocket.WebSocketHandler):
    def open(self):
        ROOM.add(self)

    async def on_message(self, message):
        if isinstance(message, str):
            await self.write_message(json.dumps({"seen": json.loads(message)["n"]}))

    def on_close(self):
        ROOM.discard(self)


def broadcast_time():
    for client in list(ROOM):
        client.write_message(json.dumps({"clients": len(ROOM)}))


async def client(port, n):
    connection = await tornado.websocket.websocket_connect(f"ws://127.0.0.1:{port}/")
    for k in range(12):
        await connection.write_message(json.dumps({"n": k, "text": "x" * 200}))
        await connection.read_message()
        await asyncio.sleep(0.05)
    connection.close()


async def main():
    app = tornado.web.Application([("/", Chat)])
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    tornado.httpserver.HTTPServer(app).add_sockets(sockets)
    ticker = tornado.ioloop.PeriodicCallback(broadcast_time, 50)
    ticker.start()
    port = sockets[0].getsockname()[1]
    await asyncio.gather(*(client(port, n) for n in range(20)))
    ticker.stop()


asyncio.run(main())
