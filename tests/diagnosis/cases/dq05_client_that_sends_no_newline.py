"""A client that connects and does not send a newline keeps the server's only thread in recv (https://github.com/SFTtech/videoscreen/issues/4).
truth: `serve` reads a line from a silent client for 1.6 s; two other clients (another process) wait as long.
wanted: `control` stands in `read_command`, in recv, for a client that sends nothing, 1.6 s; others wait in the queue of the listener."""
import multiprocessing
import socket
import threading
import time


def read_command(peer):
    line = b""
    while not line.endswith(b"\n"):
        piece = peer.recv(256)
        if not piece:
            return None
        line += piece
    return line


def serve(listener):
    while True:
        peer, _ = listener.accept()
        with peer:
            command = read_command(peer)
            if command == b"quit\n":
                return
            if command:
                peer.sendall(b"done " + command)


def silent(port):
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"volume 3")
        time.sleep(1.8)


def ask(port, text, took):
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(text)
        sock.recv(100)
    took.put(time.monotonic() - began)


if __name__ == "__main__":
    listener, context = socket.create_server(("127.0.0.1", 0)), multiprocessing.get_context("fork")
    port, took = listener.getsockname()[1], context.Queue()
    people = [context.Process(target=silent, args=(port,), name="silent")]
    people += [context.Process(target=ask, args=(port, b"show %d\n" % n, took), name="remote-%d" % n) for n in range(2)]
    people[0].start()
    control = threading.Thread(target=serve, args=(listener,), name="control")
    control.start()
    time.sleep(0.3)
    for one in people[1:]:
        one.start()
    for one in people:
        one.join()
    print("truth: waited %.1f s" % max(took.get(), took.get()))
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.sendall(b"quit\n")
    control.join()
