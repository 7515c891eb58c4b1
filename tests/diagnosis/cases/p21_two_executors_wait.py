"""Jobs of two executors wait for each other's results
(https://github.com/python/cpython/issues/141617).
truth: both threads of `io` wait for `cpu` in `load`, both threads of `cpu` wait for `io` in `transform`, 1 s."""
import threading
from concurrent.futures import ThreadPoolExecutor, TimeoutError

io = ThreadPoolExecutor(2, "io")
cpu = ThreadPoolExecutor(2, "cpu")
together = threading.Barrier(4)


def fetch():
    return 1


def load():
    together.wait()
    return cpu.submit(fetch).result(timeout=1)


def transform():
    together.wait()
    return io.submit(fetch).result(timeout=1.1)


futures = [io.submit(load), io.submit(load), cpu.submit(transform), cpu.submit(transform)]
for future in futures:
    try:
        future.result()
    except TimeoutError:
        print("time-out")
io.shutdown()
cpu.shutdown()
