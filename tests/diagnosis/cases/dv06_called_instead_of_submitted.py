"""The function is called, and its result given to submit
(as in https://stackoverflow.com/questions/49301361/why-is-the-threadpoolexecutor-not-concurrent).
truth: `MainThread` calls `fetch_price` 20 times in turn in `refresh`, 0.2 s each."""

import time
import threading
import urllib.request
from concurrent.futures import ThreadPoolExecutor, wait
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(0.2)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"42")

    def log_message(self, *args):
        pass


def fetch_price(base, product):
    with urllib.request.urlopen(f"{base}/price/{product}") as answer:
        return int(answer.read())


def refresh(base, products):
    with ThreadPoolExecutor(max_workers=8) as pool:
        futures = []
        for product in products:
            futures.append(pool.submit(fetch_price(base, product)))
        wait(futures)
    return len(futures)


def main():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    started = time.monotonic()
    count = refresh(base, range(20))
    print(f"{count} prices in {time.monotonic() - started:.1f} s")
    server.shutdown()


main()
