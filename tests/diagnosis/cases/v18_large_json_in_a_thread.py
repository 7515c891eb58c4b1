"""A background thread loads a large JSON document again and again, beside a threaded service.
truth: `reindex` keeps the GIL 50 ms and more at a time in `load_index`; the handlers wait for it."""
import json
import socket
import socketserver
import threading
import time

TEXT = json.dumps([{"id": n, "words": ["alpha", "beta", str(n)], "score": n * 0.5} for n in range(60000)])
INDEX, STOP = {}, threading.Event()


def load_index():
    for row in json.loads(TEXT):
        INDEX[row["id"]] = row["score"]


def reindex():
    while not STOP.wait(0.05):
        load_index()


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(b"%r\n" % INDEX.get(int(line)))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def client(port, n):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        file = connection.makefile("rwb")
        for k in range(60):
            file.write(b"%d\n" % (n * k))
            file.flush()
            file.readline()
            time.sleep(0.02)


def main():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, name="server").start()
    thread = threading.Thread(target=reindex, name="reindex")
    thread.start()
    clients = [threading.Thread(target=client, args=(server.server_address[1], n), name=f"client-{n}") for n in range(6)]
    for one in clients:
        one.start()
    for one in clients:
        one.join()
    STOP.set()
    thread.join()
    server.shutdown()


main()
