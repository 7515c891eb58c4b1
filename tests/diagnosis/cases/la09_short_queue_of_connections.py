"""warp #73, nicotine-plus #1471: a listener with a short backlog; connects wait for the kernel to try again.

Truth: 12 clients connect at once to a server that handles one at a time (30 ms each) and listens with a backlog of 1;
some wait 1 s in connect (the kernel sends SYN again after 1 s) though the server is idle by then.
"""
import socket
import socketserver
import threading
import time


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        line = self.rfile.readline()
        time.sleep(0.03)
        self.wfile.write(line)


class Server(socketserver.TCPServer):
    request_queue_size = 1


def ask(port: int, number: int, times: list[float]) -> None:
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"hello\n")
        connection.makefile().readline()
    times[number] = time.monotonic() - begin


def main() -> None:
    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, name="server", daemon=True)
    thread.start()
    times = [0.0] * 12
    clients = [
        threading.Thread(target=ask, args=(server.server_address[1], n, times), name=f"client-{n}") for n in range(12)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    server.shutdown()
    print([round(t, 2) for t in sorted(times)])


main()
