"""What sampling allocations costs: each run in a process of its own, since the wrappers around
the allocators stay where they were put once."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import random
import statistics
import subprocess
import sys
from dataclasses import dataclass
from typing import Any, override

from benchmarks.children import PROJECT, count_instructions
from benchmarks.pairs import HEAP, OFF
from benchmarks.workloads import Workload

DOCUMENT = json.dumps([{"id": n, "name": f"item {n}", "tags": ["a", "b"]} for n in range(50)])
CHILD = """
import sys
from benchmarks.heap import ALLOCATING
from benchmarks.pairs import run_once
name, arm, amount = sys.argv[1:]
(workload,) = (each for each in ALLOCATING if each.name == name)
run_once(workload, int(amount) // 10, arm, None)
cost = run_once(workload, int(amount), arm, None)
print(cost.main_ns, cost.process_ns)
"""


class Point:
    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


def documents(amount: int) -> None:
    for _ in range(amount):
        json.loads(DOCUMENT)


def instances(amount: int) -> None:
    for n in range(amount // 100):
        [Point(n, k) for k in range(100)]


def containers(amount: int) -> None:
    """Dicts and lists that come and go."""
    for n in range(amount // 10):
        found = {k: [k, n] for k in range(10)}
        found.clear()


def texts(amount: int) -> None:
    for n in range(amount):
        f"{n}:{n + 1}".replace(":", " / ").upper()


def frames(amount: int) -> None:
    """Columns and rows of a table, as a library for data makes them."""
    for n in range(amount // 1000):
        columns = [[float(n + k) for k in range(100)] for _ in range(10)]
        list(zip(*columns, strict=True))


def buffers(amount: int) -> None:
    for _ in range(amount):
        bytes(1000)


class Visitor(asyncio.Protocol):
    """Sends a request as soon as the last is answered, and does little besides: the service's
    loop is also its own."""

    def __init__(self, amount: int) -> None:
        self.left = amount
        self.done = asyncio.get_running_loop().create_future()

    @override
    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(ASKED)

    @override
    def data_received(self, data: bytes) -> None:
        """The body ends the answer: all are alike."""
        if not data.endswith(b"]}"):
            return
        self.left -= 1
        if self.left:
            self.transport.write(ASKED)
        else:
            self.transport.close()
            self.done.set_result(None)


def http_service(amount: int) -> None:
    """FastAPI on uvicorn: a path with a number, an answer of 20 items as JSON."""
    import fastapi
    import uvicorn

    app = fastapi.FastAPI()

    @app.get("/items/{number}")
    async def items(number: int) -> dict[str, list[dict[str, object]]]:
        return {"items": [{"id": n, "name": f"item {n}"} for n in range(number)]}

    async def main() -> None:
        config = uvicorn.Config(app, log_level="critical", lifespan="off")
        config.load()
        state = uvicorn.server.ServerState()
        loop = asyncio.get_running_loop()
        # Not uvicorn's Server: it wakes ten times a second, however slow the machine is.
        server = await loop.create_server(
            lambda: config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=state, app_state={}
            ),
            "127.0.0.1",
        )
        address = server.sockets[0].getsockname()
        _, visitor = await loop.create_connection(lambda: Visitor(amount), *address)
        await visitor.done
        server.close()

    asyncio.run(main())


ASKED = b"GET /items/20 HTTP/1.1\r\nHost: localhost\r\n\r\n"
ALLOCATING = (
    Workload("json.loads", documents, 10_000, 1.03),
    Workload("instances", instances, 1_000_000, 1.03),
    Workload("dicts and lists", containers, 1_000_000, 1.03),
    Workload("strings", texts, 1_000_000, 1.03),
    Workload("tables", frames, 5_000_000, 1.03),
    Workload("bytes(1000)", buffers, 2_000_000, None),
    *(
        (Workload("HTTP service", http_service, 2_000, 1.01),)
        if importlib.util.find_spec("fastapi") and importlib.util.find_spec("uvicorn")
        else ()
    ),
)


@dataclass(frozen=True)
class HeapCost:
    """CPU time of the main thread and of the process, as ratios.

    The process has the recorder's own thread, which wakes ten times a second. Its share grows
    the longer a busy machine lets the main thread wait.
    """

    workload: Workload
    off_ms: float
    noise: float  # untraced over untraced, main thread
    main_ratio: float
    ratio: float


def heap_costs(rounds: int, scale: float) -> list[HeapCost]:
    """Medians of ratios within rounds, whose runs are interleaved."""
    return [_compare(workload, rounds, scale) for workload in ALLOCATING]


def _compare(workload: Workload, rounds: int, scale: float) -> HeapCost:
    amount = max(1000, int(workload.amount * scale))
    shuffled = random.Random(workload.name)
    arms = {"off": OFF, "again": OFF, "on": HEAP}
    found: dict[str, list[list[int]]] = {name: [] for name in arms}
    for _ in range(rounds):
        for name in shuffled.sample(list(arms), len(arms)):
            command = [sys.executable, "-c", CHILD, workload.name, arms[name], str(amount)]
            done = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
            found[name].append([int(ns) for ns in done.stdout.split()])
    noise, main_ratio, ratio = (
        statistics.median(
            b[at] / a[at] for a, b in zip(found["off"], found[name], strict=True)
        )
        for name, at in (("again", 0), ("on", 0), ("on", 1))
    )
    off_ms = statistics.median(process for _, process in found["off"]) / 1e6
    return HeapCost(workload, off_ms, noise, main_ratio, ratio)


def heap_instructions(workload: Workload, amount: int) -> list[tuple[float, float]]:
    """Instructions per unit of the main thread and of the process, untraced and with sampled
    allocations: of twice the amount, less those of once.

    The recorder's own thread wakes ten times a second, and a second has a hundredth of the
    instructions here: its share is far too large.
    """
    counts = []
    for arm in (OFF, HEAP):
        once, twice = (
            count_instructions(workload.name, arm, n, CHILD) for n in (amount, 2 * amount)
        )
        counts.append(
            ((twice.main - once.main) / amount, (twice.process - once.process) / amount)
        )
    return counts
