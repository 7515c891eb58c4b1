"""Each document is a request of its own; indexing waits for each answer
(https://github.com/pyelasticsearch/pyelasticsearch/pull/13).

truth: `index` sends 120 documents one after the other, and waits for the answer of each (about 10 ms): that is most of
the run; index many in one request (`_bulk`).
"""
import json
import multiprocessing
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import requests


class Node(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        time.sleep(0.01)
        self.send_response(201)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        pass


def serve(ports: "multiprocessing.Queue[int]") -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Node)
    ports.put(server.server_port)
    server.serve_forever()


def index(session: requests.Session, url: str, document: dict[str, object]) -> None:
    session.post(url, data=json.dumps(document))


def main() -> None:
    context = multiprocessing.get_context("fork")
    ports: "multiprocessing.Queue[int]" = context.Queue()
    node = context.Process(target=serve, args=(ports,), name="node", daemon=True)
    node.start()
    url = f"http://127.0.0.1:{ports.get()}/docs"
    with requests.Session() as session:
        for number in range(120):
            index(session, url, {"id": number, "title": f"document {number}"})
    node.terminate()


main()
