"""The only thread of a bus of events calls one handler after the other; the one that makes a
picture takes 180 ms, and all answers come behind it.

After https://github.com/fizruk/telegram-bot-simple/issues/44
"""
import queue
import threading
import time

events = queue.Queue()


def make_picture(_):
    time.sleep(0.18)
    return "png"


def answer_ping(_):
    return "pong"


HANDLERS = {"picture": make_picture, "ping": answer_ping}


def dispatch():
    while (event := events.get()) is not None:
        kind, reply = event
        reply.put(HANDLERS[kind](kind))


def user(n):
    time.sleep(n * 0.05)
    reply = queue.SimpleQueue()
    events.put(("picture" if n % 2 else "ping", reply))
    reply.get()


bus = threading.Thread(target=dispatch, name="bus")
bus.start()
users = [threading.Thread(target=user, args=(n,), name=f"user-{n}") for n in range(14)]
for t in users:
    t.start()
for t in users:
    t.join()
events.put(None)
bus.join()
