"""A forking server has as many children as it may have, and waits for one of them before it accepts anybody
(https://github.com/python/cpython/issues/111872: `max_children` is documented nowhere).
truth: the thread `server` stands in `collect_children` (os.waitpid), since 3 children are asleep in `convert` 0.5 s
each; clients `client-N` wait up to 1 s for their answer."""
import socket, socketserver, threading, time


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(10)
        convert()
        self.request.sendall(b"done")


def convert():
    time.sleep(0.5)


class Server(socketserver.ForkingMixIn, socketserver.TCPServer):
    max_children = 3
    request_queue_size = 32


def ask(address):
    with socket.create_connection(address) as s:
        s.sendall(b"doc")
        s.recv(10)


server = Server(("127.0.0.1", 0), Handler)
t = threading.Thread(target=server.serve_forever, args=(0.05,), name="server")
t.start()
clients = [threading.Thread(target=ask, args=(server.server_address,), name=f"client-{i}") for i in range(9)]
began = time.monotonic()
for c in clients:
    c.start()
for c in clients:
    c.join()
print("truth: the last answer after", time.monotonic() - began)
server.shutdown()
t.join()
server.server_close()
