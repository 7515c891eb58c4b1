"""The reader of a connection calls the user's handler of notifications, which itself sends a
request: its answer could only be read by that very thread.

After https://github.com/datastax/ruby-driver/pull/16
"""
import itertools
import queue
import threading
import time
from concurrent.futures import Future, TimeoutError

wire, pending, numbers = queue.Queue(), {}, itertools.count()


def request(what):
    number, answer = next(numbers), Future()
    pending[number] = answer
    threading.Timer(0.02, wire.put, (("answer", number),)).start()
    return answer.result(timeout=1.2)


def on_changed(_):
    try:
        request("details")
    except TimeoutError:
        pass


def read_loop():
    while (message := wire.get()) is not None:
        kind, number = message
        if kind == "answer":
            pending.pop(number).set_result(kind)
        else:
            on_changed(number)


def page(n):
    time.sleep(0.1 + n * 0.2)
    request("page")


reader = threading.Thread(target=read_loop, name="reader")
reader.start()
wire.put(("changed", 0))
pages = [threading.Thread(target=page, args=(n,), name=f"page-{n}") for n in range(4)]
for t in pages:
    t.start()
for t in pages:
    t.join()
wire.put(None)
reader.join()
