"""A server's loop calls select with a time-out of 0, so it never sleeps
(https://github.com/vertexproject/synapse/pull/769).
truth: MainThread calls `select` in `run_poll_loop` without pause for 1.2 s; hardly any call finds anything."""
import select
import socket
import threading
import time


def run_poll_loop(listener, until):
    clients = []
    while time.monotonic() < until:
        readable, _, _ = select.select([listener, *clients], [], [], 0)
        for one in readable:
            if one is listener:
                clients.append(one.accept()[0])
            elif data := one.recv(100):
                one.sendall(data)
            else:
                clients.remove(one)


def talk(address):
    with socket.create_connection(address) as connection:
        for number in range(8):
            connection.sendall(b"ping")
            connection.recv(10)
            time.sleep(0.12)


with socket.create_server(("127.0.0.1", 0)) as listener:
    client = threading.Thread(target=talk, args=(listener.getsockname(),), name="client")
    client.start()
    run_poll_loop(listener, time.monotonic() + 1.2)
    client.join()
