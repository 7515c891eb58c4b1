"""The trace must lead to four faults of a service that "only needs more threads".

1. `make_key` builds its strings quadratically, a character at a time.
2. `rank` sorts everything seen so far, on every record.
3. `process` holds one lock around all of its work, so workers go one by one.
4. There are ten times more workers than processors, and they never exit.
"""

import os
import queue
import threading

RECORDS = 800
WORKERS = 10 * (os.cpu_count() or 1)

jobs: queue.SimpleQueue[int] = queue.SimpleQueue()
processing = threading.Lock()
finished = threading.Event()
seen: list[tuple[str, int]] = []
ranks: dict[int, int] = {}


def make_key(record: int) -> str:
    key = ""
    for n in range(1000):
        key = key + str((record * 7919 + n) % 10)
        key = key[:1] + key[1:]  # "normalised" at every step: copies it all
    return key


def rank(key: str, record: int) -> int:
    seen.append((key, record))
    ordered = sorted(seen, key=lambda item: (item[0][::-1], item[1]))
    return ordered.index((key, record))


def process(record: int) -> None:
    with processing:
        ranks[record] = rank(make_key(record), record)
    if len(ranks) == RECORDS:
        finished.set()


def work() -> None:
    while True:
        process(jobs.get())


for number in range(WORKERS):
    threading.Thread(target=work, name=f"worker-{number}", daemon=True).start()
for record in range(RECORDS):
    jobs.put(record)
finished.wait()
left = threading.active_count() - 1
print(f"{len(ranks)} records by {WORKERS} workers, {left} still waiting")
