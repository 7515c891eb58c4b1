"""A permit is not given back where a function returns early.
After https://github.com/texttheater/produce/issues/35 and others. `resize` takes a permit of
2 with `acquire()` and returns early for empty files: the permits are gone after two of them;
the later threads `img-N` wait 1.2 s each in `resize` in vain."""

import logging
import threading
import time

logging.basicConfig(level=logging.INFO, format="%(threadName)s %(message)s")
gpu = threading.BoundedSemaphore(2)
failed = []


def resize(path, size):
    if not gpu.acquire(timeout=1.2):
        failed.append(path)
        logging.warning("gave up on %s", path)
        return None
    if size == 0:
        logging.info("%s is empty", path)
        return None
    time.sleep(size / 1000)
    gpu.release()
    return path


def upload(names):
    for name, size in names:
        resize(name, size)
        time.sleep(0.01)


batches = [
    [("a1", 20), ("a2", 0), ("a3", 15), ("a4", 20)],
    [("b1", 30), ("b2", 25), ("b3", 0), ("b4", 20)],
    [("c1", 10), ("c2", 10), ("c3", 35), ("c4", 20)],
]
threads = [
    threading.Thread(target=upload, args=(batch,), name=f"img-{n}")
    for n, batch in enumerate(batches)
]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(len(failed), "given up")
