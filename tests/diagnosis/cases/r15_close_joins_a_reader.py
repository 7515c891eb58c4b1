"""close() joins the thread that reads from a socket, which nobody closed
(after reports of clients that hang in their disconnect).
truth: `close` waits 1.2 s in Thread.join for `mqtt-reader`, which stands in `recv` in `loop`."""
import socket
import threading
import time


class Client:
    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.reader = threading.Thread(target=self.loop, name="mqtt-reader", daemon=True)
        self.reader.start()

    def loop(self):
        while data := self.socket.recv(100):
            print(data)

    def close(self):
        self.reader.join(1.2)


server = socket.create_server(("127.0.0.1", 0))
client = Client(server.getsockname())
peer, _ = server.accept()
peer.sendall(b"connack")
time.sleep(0.1)
client.close()
