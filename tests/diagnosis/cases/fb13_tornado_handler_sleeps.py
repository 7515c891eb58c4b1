"""A plain handler of Tornado takes its time and all other requests wait
(https://www.infinitescript.com/2017/06/making-requests-non-blocking-in-tornado/).
truth: `get_complex_result` blocks the loop 4 times 0.4 s, in time.sleep; `/` waits as long."""
import asyncio
import time

import tornado.httpclient
import tornado.web

waited = []


class Main(tornado.web.RequestHandler):
    def get(self):
        self.write("hello")


class Complex(tornado.web.RequestHandler):
    def get(self):
        self.write(str(self.get_complex_result()))

    def get_complex_result(self):
        time.sleep(0.4)
        return 100


async def main():
    app = tornado.web.Application([("/", Main), ("/complex", Complex)])
    server = app.listen(0, "127.0.0.1")
    port = next(iter(server._sockets.values())).getsockname()[1]
    client = tornado.httpclient.AsyncHTTPClient()

    async def ask(path, after):
        await asyncio.sleep(after)
        began = time.monotonic()
        await client.fetch(f"http://127.0.0.1:{port}{path}")
        if path == "/":
            waited.append(time.monotonic() - began)

    slow = [ask("/complex", 0.5 * n) for n in range(4)]
    await asyncio.gather(*slow, *(ask("/", 0.1 * n) for n in range(20)))
    print("truth", round(max(waited), 2))


asyncio.run(main())
