"""A plugin server starts a thread for each event; each asks by a queue and waits for an answer that is never
sent once the connection broke (https://github.com/Kong/kong-python-pdk/issues/147).
truth: 40 threads `event-N`, started in `on_event`, wait in Queue.get in `call` to the end; nobody answers them."""
import queue
import threading
import time

requests = queue.Queue()


def bridge():
    for n in range(5):
        ask, answer = requests.get()
        answer.put(ask)
    while True:
        requests.get()


def call(ask):
    answer = queue.Queue()
    requests.put((ask, answer))
    return answer.get()


def handle(n):
    call(n)


def on_event(n):
    threading.Thread(target=handle, args=(n,), name=f"event-{n}", daemon=True).start()


threading.Thread(target=bridge, name="bridge", daemon=True).start()
for n in range(45):
    on_event(n)
    time.sleep(0.04)
time.sleep(0.3)
