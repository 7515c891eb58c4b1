"""Healthy: a threaded http.server with SQLite and a rotating log, eight clients."""
import http.server
import logging
import logging.handlers
import os
import sqlite3
import tempfile
import threading
import time
import urllib.request

folder = tempfile.mkdtemp()
path = os.path.join(folder, "app.db")
log = logging.getLogger("app")
log.addHandler(logging.handlers.RotatingFileHandler(os.path.join(folder, "app.log"), maxBytes=20_000, backupCount=2))
log.setLevel(logging.INFO)
with sqlite3.connect(path) as database:
    database.execute("create table visit (page text)")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with sqlite3.connect(path, timeout=10) as database:
            database.execute("insert into visit values (?)", (self.path,))
        database.close()
        log.info("%s from %s", self.path, self.client_address)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args):
        pass


def client(port, n):
    for k in range(15):
        urllib.request.urlopen(f"http://127.0.0.1:{port}/{n}/{k}").read()
        time.sleep(0.06)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
clients = [threading.Thread(target=client, args=(server.server_port, n)) for n in range(8)]
for one in clients:
    one.start()
for one in clients:
    one.join()
server.shutdown()
