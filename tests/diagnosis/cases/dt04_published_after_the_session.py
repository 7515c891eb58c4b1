"""The connection ends; the network thread waits to connect again, and tells none of those whose messages are under way
(https://github.com/eclipse-paho/paho.mqtt.python/issues/613).
truth: 3 threads `sensor-N` wait 2 s in vain in `wait_for_publish` for `network`, which had ended all such waits before.
"""

import socket
import threading
import time


class Message:
    def __init__(self) -> None:
        self.changed, self.is_done = threading.Condition(), False

    def done(self) -> None:
        with self.changed:
            self.is_done = True
            self.changed.notify()

    def wait_for_publish(self, timeout: float) -> bool:
        with self.changed:
            return self.changed.wait_for(lambda: self.is_done, timeout)


class Client:
    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.lock, self.number = sock, threading.Lock(), 0
        self.pending: dict[int, Message] = {}

    def publish(self) -> Message:
        message = Message()
        with self.lock:
            self.number = (self.number + 1) % 256
            self.pending[self.number] = message
            self.sock.sendall(bytes([self.number]))
        return message

    def loop(self) -> None:
        while got := self.sock.recv(1):
            with self.lock:
                message = self.pending.pop(got[0])
            message.done()
        while not over.wait(0.2):
            pass  # it is not time yet to connect again


def broker(sock: socket.socket) -> None:
    for _ in range(40):
        number = sock.recv(1)
        time.sleep(0.01)
        sock.sendall(number)
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(1):
        pass


def sensor() -> None:
    for _ in range(30):
        if not client.publish().wait_for_publish(2):
            return


ours, theirs = socket.socketpair()
over = threading.Event()
client = Client(ours)
network = threading.Thread(target=client.loop, name="network")
network.start()
threading.Thread(target=broker, args=(theirs,), name="broker", daemon=True).start()
sensors = [threading.Thread(target=sensor, name=f"sensor-{i}") for i in range(3)]
for thread in sensors:
    thread.start()
for thread in sensors:
    thread.join()
over.set()
network.join()
