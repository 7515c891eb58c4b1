"""Twelve sessions wait for each tick, and each has something to send then: `notify_all` is right."""

import socket
import threading
import time

changed = threading.Condition()
tick = [0]
pairs = [socket.socketpair() for _ in range(12)]


def session(number: int) -> None:
    ours, theirs = pairs[number]
    last = 0
    while True:
        with changed:
            while tick[0] == last:
                changed.wait()
            last = tick[0]
        if last < 0:
            return
        ours.sendall(b"tick")
        theirs.recv(10)


threads = [threading.Thread(target=session, args=(i,), name=f"session-{i}") for i in range(12)]
for thread in threads:
    thread.start()
for number in (*range(1, 300), -1):
    time.sleep(0.005)
    with changed:
        tick[0] = number
        changed.notify_all()
for thread in threads:
    thread.join()
