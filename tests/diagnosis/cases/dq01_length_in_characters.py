"""The length of a message is counted in characters and sent in bytes … or the other way round: the reader waits for bytes that never come
(https://github.com/parkouss/funq/pull/29).
truth: `Client.call` announces 4 bytes more than it sends; the server process reads on, and `call` waits 1.5 s for an answer (its time limit).
wanted: MainThread waited 1.5 s in recv in `Client.call` for an answer; the server `serve` waits itself for the rest of the message in `recv_exactly`."""
import multiprocessing
import socket
import time


def recv_exactly(peer, size):
    data = b""
    while len(data) < size:
        piece = peer.recv(size - len(data))
        if not piece:
            raise EOFError
        data += piece
    return data


def serve(listener):
    peer = listener.accept()[0]
    try:
        while True:
            size = int(recv_exactly(peer, 8))
            peer.sendall(b"%08d" % len(recv_exactly(peer, size)))
    except EOFError:
        pass


class Client:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=1.5)

    def call(self, text):
        self.sock.sendall(b"%08d" % len(text.encode()) + text.encode("latin-1"))
        return int(self.sock.recv(8))


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    server = multiprocessing.get_context("fork").Process(target=serve, args=(listener,), name="server")
    server.start()
    client = Client(listener.getsockname()[1])
    for _ in range(5):
        client.call("plain text")
    began = time.monotonic()
    try:
        client.call("caf\u00e9 au lait, d\u00e9j\u00e0 vu")
    except TimeoutError:
        print("truth: no answer for %.1f s" % (time.monotonic() - began))
    client.sock.close()
    server.join()
