"""gather of coroutines that use a synchronous client ("my 1000 concurrent requests ran one by one", dev.to).

Truth: 12 fetches of 0.1 s each, gathered, take 1.2 s: each blocks the loop in `urlopen`.
"""

import asyncio
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.1)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"page")

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
threading.Thread(target=server.serve_forever, daemon=True).start()


async def fetch(number):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/{number}") as answer:
        return answer.read()


async def main():
    begun = time.perf_counter()
    await asyncio.gather(*(fetch(n) for n in range(12)))
    print(f"truth: {time.perf_counter() - begun:.2f} s for 12 fetches of 0.1 s")


asyncio.run(main())
server.shutdown()
