"""HEALTHY: a threaded HTTP service over sqlite (WAL), short transactions, a writer thread, 6 clients that pause."""
import json
import os
import queue
import sqlite3
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATH = os.path.join(tempfile.mkdtemp(), "shop.db")
WRITES = queue.Queue()


def connect():
    connection = sqlite3.connect(PATH, timeout=5)
    connection.execute("pragma journal_mode=wal")
    connection.execute("pragma synchronous=normal")
    return connection


def writer():
    connection = connect()
    while True:
        item = WRITES.get()
        if item is None:
            break
        with connection:
            connection.execute("insert into visit(path) values (?)", (item,))
    connection.close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        connection = connect()
        rows = connection.execute("select count(*), max(id) from visit").fetchone()
        connection.close()
        WRITES.put(self.path)
        body = json.dumps({"rows": rows, "items": [n * n for n in range(300)]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


def client(port):
    for n in range(25):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{n}") as answer:
            answer.read()
        time.sleep(0.04)


def main():
    connection = connect()
    connection.execute("create table visit(id integer primary key, path text)")
    connection.close()
    thread = threading.Thread(target=writer, name="writer")
    thread.start()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, name="http").start()
    clients = [threading.Thread(target=client, args=(server.server_port,), name=f"client-{n}") for n in range(6)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    server.shutdown()
    WRITES.put(None)
    thread.join()


main()
