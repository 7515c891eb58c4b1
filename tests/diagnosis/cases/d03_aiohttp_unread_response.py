"""Responses whose body nobody reads keep their connections (aio-libs/aiohttp#2217).
truth: two `fetch_status` have the only two connections; the four others wait until their time-out of 1 s."""
import asyncio
import http.server
import threading
import time

import aiohttp

class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(0.1)
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"x" * 1000000)

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Slow)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, name="server", daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}/"

kept = []


async def fetch_status(session):
    try:
        async with asyncio.timeout(1.0):
            response = await session.get(url)
        kept.append(response)
        return response.status
    except TimeoutError:
        return "timed out"


async def main():
    connector = aiohttp.TCPConnector(limit=2)
    async with aiohttp.ClientSession(connector=connector) as session:
        print("truth", await asyncio.gather(*(fetch_status(session) for _ in range(6))))


asyncio.run(main())
