"""Work in `add_done_callback` keeps the pool's worker.
After https://github.com/RedHatInsights/vmaas/pull/346 and reports like it. The two workers of
`fetch` spend most of their time in the callback `store` (0.2 s asleep); 10 downloads of
20 ms queue behind it."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

lock = threading.Lock()
stored = []


def download(n):
    time.sleep(0.02)
    return b"x" * n


def store(future):
    body = future.result()
    time.sleep(0.2)
    with lock:
        stored.append(len(body))


def request(pool, n, waits):
    began = time.monotonic()
    future = pool.submit(download, n)
    future.add_done_callback(store)
    future.result()
    waits.append(time.monotonic() - began)


waits = []
with ThreadPoolExecutor(2, thread_name_prefix="fetch") as pool:
    clients = [
        threading.Thread(target=request, args=(pool, n, waits), name=f"client-{n}")
        for n in range(10)
    ]
    for c in clients:
        c.start()
    for c in clients:
        c.join()
print(f"slowest download {max(waits):.2f} s of 0.02 s; {len(stored)} stored")
