"""Healthy: a periodic job writes a batch of rows in one transaction every 200 ms."""
import sqlite3
import tempfile
import time
from pathlib import Path


def write_batch(connection: sqlite3.Connection, batch: int) -> None:
    with connection:
        connection.executemany("INSERT INTO samples VALUES (?, ?)", [(batch, n) for n in range(500)])


def main() -> None:
    with tempfile.TemporaryDirectory(dir=".") as folder:
        connection = sqlite3.connect(Path(folder) / "samples.sqlite3")
        connection.execute("CREATE TABLE samples (batch INTEGER, value INTEGER)")
        for batch in range(8):
            write_batch(connection, batch)
            time.sleep(0.2)


main()
