"""A thread reads a socket that does not block, and tries again at once.
truth: `reader` computes all the time in `read_all`."""
import queue
import socket
import struct
import threading
import time

STOP, VALUES = threading.Event(), queue.Queue()


def read_all(sock):
    count = 0
    while not STOP.is_set():
        try:
            data = sock.recv(64)
        except BlockingIOError:
            continue
        VALUES.put(struct.unpack("!d", data)[0])
        count += 1
    return count


def sensor(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in range(60):
        sock.sendto(struct.pack("!d", n * 0.5), ("127.0.0.1", port))
        time.sleep(0.03)


def consumer(out):
    while (value := VALUES.get()) is not None:
        out.append(value * 2)


def main():
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.setblocking(False)
    out = []
    threads = [threading.Thread(target=read_all, args=(sock,), name="reader"), threading.Thread(target=consumer, args=(out,), name="consumer")]
    for thread in threads:
        thread.start()
    sensor(sock.getsockname()[1])
    STOP.set()
    VALUES.put(None)
    for thread in threads:
        thread.join()


main()
