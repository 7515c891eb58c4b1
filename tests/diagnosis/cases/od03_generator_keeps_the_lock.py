"""Many reports: a generator yields under a lock, so that whoever reads it keeps the lock while it does its own work.

Truth: `export` has the lock of `Table.rows` for 1.5 s, asleep in `upload`; `insert` of 3 threads waits for it.
"""
import threading
import time
from collections.abc import Iterator


class Table:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.items = list(range(15))

    def rows(self) -> Iterator[int]:
        with self.lock:
            for item in self.items:
                yield item

    def insert(self, item: int) -> None:
        with self.lock:
            self.items.append(item)


def upload(item: int) -> None:
    time.sleep(0.1)


def export(table: Table) -> None:
    for item in table.rows():
        upload(item)


def request(table: Table, number: int) -> None:
    table.insert(number)


def main() -> None:
    table = Table()
    exporter = threading.Thread(target=export, args=(table,), name="exporter")
    exporter.start()
    time.sleep(0.1)
    requests = [threading.Thread(target=request, args=(table, n), name=f"request-{n}") for n in range(3)]
    for thread in requests:
        thread.start()
    for thread in (*requests, exporter):
        thread.join()
    print(len(table.items))


main()
