"""A lock makes one requests.Session safe for many threads, and the requests one after the other
(https://github.com/rmusser01/tldw_chatbook/pull/1932).
truth: 8 jobs of to_thread wait in `make_request` for a Lock whose holder is in `session.get` (recv) 100 ms each time: the requests run one by one."""
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
session, session_lock = requests.Session(), threading.Lock()


def make_request(path):
    with session_lock:
        return session.get(f"http://127.0.0.1:{server.server_port}/{path}", timeout=5).json()


async def scrape_many(paths):
    return await asyncio.gather(*(asyncio.to_thread(make_request, path) for path in paths))


begun = time.perf_counter()
asyncio.run(scrape_many([f"article/{n}" for n in range(16)]))
print(f"truth 16 requests of 0.1 s took {time.perf_counter() - begun:.2f} s")
server.shutdown()
