"""The trace must show workers queueing for one lock that `write_slowly` holds across its I/O.

Four workers prepare and write records. Preparing is quick and needs no lock; writing takes
4 ms and needs none either, but is done with the table's lock held: all four go one by one.
The program keeps its own books of how long everybody waited.
"""

import threading
import time

WORKERS, RECORDS_EACH = 4, 20
WRITE_S = 0.004

table_lock = threading.Lock()
table: list[int] = []
waited_s = [0.0] * WORKERS


def prepare(record: int) -> int:
    return sum(range(record % 100))


def write_slowly(value: int) -> None:
    time.sleep(WRITE_S)  # the disk
    table.append(value)


def work(worker: int) -> None:
    for record in range(RECORDS_EACH):
        value = prepare(record)
        start = time.monotonic()
        with table_lock:
            waited_s[worker] += time.monotonic() - start
            write_slowly(value)


workers = [
    threading.Thread(target=work, args=(n,), name=f"worker-{n}") for n in range(WORKERS)
]
for thread in workers:
    thread.start()
for thread in workers:
    thread.join()
print(f"{len(table)} records, waited for the table's lock: {sum(waited_s) * 1e3:.3f} ms")
