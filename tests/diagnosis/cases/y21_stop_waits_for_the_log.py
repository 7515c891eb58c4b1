"""`QueueListener.stop` waits until its thread has written all that is in the queue
(https://github.com/ArduPilot/MAVProxy/pull/1722, for the standard library's own listener).
truth: MainThread waits 1.3 s in `QueueListener.stop` in `shut_down` for `Thread-1 (_monitor)`, which has 130 records left and is
asleep in `Post.emit` 10 ms for each."""
import logging, logging.handlers, queue, time


class Post(logging.Handler):
    def emit(self, record):
        time.sleep(0.01)


def work(log):
    for n in range(150):
        log.warning("request %d", n)
        time.sleep(0.001)


def shut_down(listener):
    began = time.monotonic()
    listener.stop()
    print("truth: stopped after", time.monotonic() - began)


records = queue.SimpleQueue()
log = logging.getLogger("app")
log.addHandler(logging.handlers.QueueHandler(records))
listener = logging.handlers.QueueListener(records, Post())
listener.start()
work(log)
shut_down(listener)
