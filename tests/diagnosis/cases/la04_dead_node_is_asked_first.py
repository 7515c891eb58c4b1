"""pilosa #51, riak #400: the client asks a node that is down first, each time anew.

Truth: `query` waits 0.2 s in connect for the first node, which never answers, 12 times; the second answers in 5 ms.
"""
import multiprocessing
import socket
import socketserver
import time


class Node(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        line = self.rfile.readline()
        time.sleep(0.005)
        self.wfile.write(line)


def serve(ports: "multiprocessing.Queue[int]") -> None:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Node)
    server.daemon_threads = True
    ports.put(server.server_address[1])
    server.serve_forever()


def dead_node() -> tuple[int, list[socket.socket]]:
    """A port whose host no longer answers: its queue of connections is full."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    kept = [listener]
    for _ in range(4):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(listener.getsockname())
        kept.append(client)
    return listener.getsockname()[1], kept


class Client:
    def __init__(self, nodes: list[int]) -> None:
        self.nodes = nodes

    def query(self, text: str) -> str:
        for port in self.nodes:
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=0.2) as connection:
                    connection.sendall(text.encode() + b"\n")
                    return connection.makefile().readline()
            except OSError:
                continue
        raise ConnectionError("no node answers")


def main() -> None:
    context = multiprocessing.get_context("fork")
    ports: "multiprocessing.Queue[int]" = context.Queue()
    node = context.Process(target=serve, args=(ports,), name="node", daemon=True)
    node.start()
    dead, kept = dead_node()
    client = Client([dead, ports.get()])
    for number in range(12):
        client.query(f"Count(Row({number}))")
    for item in kept:
        item.close()
    node.terminate()
    print("done")


main()
