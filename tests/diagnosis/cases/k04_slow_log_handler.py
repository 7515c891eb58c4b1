"""All threads log through one handler that is slow (after reports of slow disks and consoles).
truth: `emit` sleeps 25 ms with the handler's lock; 6 threads `api-N` wait for it in `handle`."""
import logging
import threading
import time


class Remote(logging.Handler):
    def emit(self, record):
        time.sleep(0.025)


log = logging.getLogger("api")
log.setLevel(logging.INFO)
log.addHandler(Remote())


def handle(number):
    for step in range(6):
        log.info("%s %s", number, step)


threads = [threading.Thread(target=handle, args=(n,), name=f"api-{n}") for n in range(6)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
