"""Each request ends with gc.collect(), which stops all threads of the service
(https://github.com/arskom/spyne/pull/472).
truth: `gc.collect()` in `finish_request` takes some 60 ms each time; the other threads wait for the GIL."""
import gc
import threading
import time


class Entity:
    def __init__(self, number):
        self.number, self.me = number, {"of": number}


registry = [Entity(n) for n in range(500_000)]


def finish_request():
    gc.collect()


def handle(requests):
    for _ in range(requests):
        sum(range(20_000))
        finish_request()
        time.sleep(0.005)


threads = [threading.Thread(target=handle, args=(6,), name=f"web-{n}") for n in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
