"""Greenlets wait for the answer of a worker that failed before it set their event
(https://github.com/gevent/gevent/issues/1957).
truth: 3 greenlets wait 1.2 s in `wait` in `ask` in vain; `worker` ended with an exception before."""
import gevent
from gevent.event import Event


class Request:
    def __init__(self):
        self.done = Event()


def worker(requests):
    gevent.sleep(0.05)
    for request in requests:
        raise RuntimeError("no backend")


def ask(request):
    return request.done.wait(timeout=1.2)


requests = [Request() for _ in range(3)]
gevent.get_hub().handle_error = lambda *args: None
failed = gevent.spawn(worker, requests)
gevent.joinall([gevent.spawn(ask, request) for request in requests])
