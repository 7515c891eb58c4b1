"""HEALTHY: a listener of a feed reads with a time limit of 0.3 s, to see whether it should stop, and sends a heartbeat then."""
import multiprocessing
import socket
import time


def feed(listener):
    peer = listener.accept()[0]
    for n in range(4):
        time.sleep(0.5)
        peer.sendall(b"%08d" % n)
    peer.shutdown(socket.SHUT_WR)
    while peer.recv(100):
        pass
    peer.close()


def listen(port):
    got = beats = 0
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.settimeout(0.3)
        while True:
            try:
                piece = sock.recv(8)
            except TimeoutError:
                sock.sendall(b"beat")
                beats += 1
                continue
            if not piece:
                return got, beats
            got += 1


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    server = multiprocessing.get_context("fork").Process(target=feed, args=(listener,), name="feed")
    server.start()
    print("truth: %d messages, %d beats" % listen(listener.getsockname()[1]))
    server.join()
