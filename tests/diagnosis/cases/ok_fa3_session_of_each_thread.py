"""HEALTHY: each thread of the default executor has a requests.Session of its own; the requests run side by side."""
import asyncio
import http.server
import threading
import time

import requests


class Api(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        time.sleep(0.1)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, name="api", daemon=True).start()
local = threading.local()


def make_request(path):
    if not hasattr(local, "session"):
        local.session = requests.Session()
    return local.session.get(f"http://127.0.0.1:{server.server_port}/{path}", timeout=5).json()


async def scrape_many(paths):
    limit = asyncio.Semaphore(4)

    async def one(path):
        async with limit:
            return await asyncio.to_thread(make_request, path)

    return await asyncio.gather(*map(one, paths))


begun = time.perf_counter()
asyncio.run(scrape_many([f"article/{n}" for n in range(24)]))
print(f"{time.perf_counter() - begun:.2f} s")
server.shutdown()
