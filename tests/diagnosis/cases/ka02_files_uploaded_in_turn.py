"""Files are uploaded to S3 one after the other; they could go in parallel
(https://github.com/housing-data-coalition/oca/issues/2).

truth: `upload` is called for 12 files one after the other, each waits about 150 ms for the store's answer: 1.8 s, which
parallel uploads would save.
"""
import multiprocessing
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Store(BaseHTTPRequestHandler):
    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.15)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(ports: "multiprocessing.Queue[int]") -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    ports.put(server.server_port)
    server.serve_forever()


def upload(url: str, body: bytes) -> None:
    urllib.request.urlopen(urllib.request.Request(url, data=body, method="PUT")).read()


def main() -> None:
    context = multiprocessing.get_context("fork")
    ports: "multiprocessing.Queue[int]" = context.Queue()
    store = context.Process(target=serve, args=(ports,), name="store", daemon=True)
    store.start()
    port = ports.get()
    for number in range(12):
        upload(f"http://127.0.0.1:{port}/file-{number}", b"x" * 20_000)
    store.terminate()


main()
