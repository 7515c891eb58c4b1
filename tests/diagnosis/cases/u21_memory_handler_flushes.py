"""A MemoryHandler sends its buffer of 40 records while the unlucky caller, and all who log, wait
(Stack Overflow "logging MemoryHandler blocks every N messages"; python docs on buffering handlers).
truth: each 40th record flushes to `Collector.emit`, 5 ms for each record, 200 ms under the handler's lock; 6 request
threads wait for it in log.info."""
import logging
import logging.handlers
import threading
import time

log = logging.getLogger("api")


class Collector(logging.Handler):
    def emit(self, record):
        time.sleep(0.005)


def handle(n):
    for k in range(35):
        time.sleep(0.004)
        log.info("client %d request %d", n, k)


buffer = logging.handlers.MemoryHandler(40, flushLevel=logging.ERROR, target=Collector())
log.addHandler(buffer)
log.setLevel(logging.INFO)
threads = [threading.Thread(target=handle, args=(n,), name=f"request-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
