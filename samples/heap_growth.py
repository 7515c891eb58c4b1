"""The trace (tracer run --heap) must show who keeps memory: the log and the cache, none else.

Each request is remembered in a list, and its answer in a cache without bound. It makes nodes
that refer to themselves, which only the collector frees, and a buffer that is gone at once.
An upload is put together piece by piece, each time by copying all that is there.
"""

import time

REQUESTS = 600
PAUSE_S = 0.002
ENTRY, ANSWER, PAYLOAD, BUFFER = 100_000, 80_000, 8_000, 300_000
CHUNKS, CHUNK = 80, 65_536

LOG: list[bytes] = []
CACHE: dict[int, bytes] = {}


class Node:
    def __init__(self) -> None:
        self.itself = self
        self.payload = bytes(PAYLOAD)


def remember() -> None:
    LOG.append(bytes(ENTRY))


def answer(question: int) -> bytes:
    if question not in CACHE:
        CACHE[question] = bytes(ANSWER)
    return CACHE[question]


def plan() -> None:
    for _ in range(20):
        Node()


def render() -> int:
    return len(bytearray(BUFFER))


def upload() -> int:
    body = b""
    for _ in range(CHUNKS):
        body += bytes(CHUNK)
    return len(body)


upload()
for request in range(REQUESTS):
    remember()
    answer(request)
    plan()
    render()
    time.sleep(PAUSE_S)
kept = sum(map(len, LOG)) + sum(map(len, CACHE.values()))
print(f"{kept / 1e6:.1f} MB kept, {len(LOG)} entries, {len(CACHE)} answers")
