"""A thread logs while it has the application's lock; the log handler asks the application (netty/netty#1701, in Python).
truth: `orders` has the state lock and waits for the handler's; `audit` has the handler's and waits for the state lock."""
import logging
import threading
import time

state = threading.Lock()


class Handler(logging.Handler):
    def emit(self, record):
        time.sleep(0.1)
        if state.acquire(timeout=1.0):
            state.release()


log = logging.getLogger("app")
log.addHandler(Handler())


def place_order():
    with state:
        time.sleep(0.1)
        log.warning("placed")


def audit():
    log.warning("audit")


threads = [threading.Thread(target=audit, name="audit"), threading.Thread(target=place_order, name="orders")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("truth done")
