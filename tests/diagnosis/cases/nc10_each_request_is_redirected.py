"""Many reports (trailing slashes): each request is redirected first, and so takes two round trips.

Truth: `get_item` asks 40 times for /items/N, is sent to /items/N/ each time, and waits 15 ms for each of the 80 answers.
"""
import multiprocessing
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests


class Items(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        time.sleep(0.015)
        if self.path.endswith("/"):
            self.send_response(200)
        else:
            self.send_response(301)
            self.send_header("Location", self.path + "/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(ports: "multiprocessing.Queue[int]") -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Items)
    ports.put(server.server_port)
    server.serve_forever()


def get_item(session: requests.Session, base: str, number: int) -> int:
    return session.get(f"{base}/items/{number}").status_code


def main() -> None:
    context = multiprocessing.get_context("fork")
    ports: "multiprocessing.Queue[int]" = context.Queue()
    server = context.Process(target=serve, args=(ports,), name="items", daemon=True)
    server.start()
    base = f"http://127.0.0.1:{ports.get()}"
    with requests.Session() as session:
        print(sum(get_item(session, base, n) == 200 for n in range(40)))
    server.terminate()


main()
