"""A log handler logs while it has its own plain Lock (box/ClusterRunner#48).
truth: `worker` waits in `emit` for the lock that `emit` took one call above; daemon thread, ends after 1 s."""
import threading
import time

lock = threading.Lock()


def emit(message, depth=0):
    with lock:
        if depth == 0:
            emit("rotated", 1)


threading.Thread(target=emit, args=("hello",), name="worker", daemon=True).start()
time.sleep(1.0)
