"""The trace must name each blocking call: file, socket, subprocess and database, in a pool.

Four pool threads do jobs of four kinds; the program counts what it asked for.
"""

import os
import socket
import sqlite3
import subprocess
import tempfile
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

JOBS_EACH = 6
asked: Counter[str] = Counter()
counting = threading.Lock()


def count(call: str) -> None:
    with counting:
        asked[call] += 1


def write_file(folder: str, n: int) -> None:
    with open(os.path.join(folder, f"{n}.bin"), "wb") as file:
        file.write(bytes(1 << 20))
        file.flush()
        os.fsync(file.fileno())
        count("os.fsync")


def talk() -> None:
    here, there = socket.socketpair()
    with here, there:
        late = threading.Timer(0.01, there.sendall, (b"at last",))
        late.start()
        here.recv(64)
        count("socket.recv")
        late.join()


def run_command() -> None:
    subprocess.run(["sleep", "0.02"], check=True)
    count("os.waitpid")


def query(folder: str, n: int) -> None:
    with sqlite3.connect(os.path.join(folder, f"{n}.db")) as database:
        database.execute("create table t as with recursive n(i) as"
                         " (select 1 union all select i + 1 from n where i < 100000)"
                         " select i from n")  # fmt: skip
        count("sqlite3.Connection.execute")
    database.close()


with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4, "pool") as pool:
    jobs = []
    for n in range(JOBS_EACH):
        jobs += [
            pool.submit(write_file, folder, n),
            pool.submit(talk),
            pool.submit(run_command),
            pool.submit(query, folder, n),
        ]
    for job in jobs:
        job.result()
print(", ".join(f"{call}: {n}" for call, n in sorted(asked.items())))
