"""The trace must show collections inside `serve`: bad requests leave garbage by the million.

Every node of a document knows its parent. A good document is taken apart once it was answered;
one that fails half-way is only dropped, and nobody but the collector, timed here, frees it.
"""

import asyncio
import contextlib
import gc
import time

REQUESTS = 300
MALFORMED = "[" * 4_000
GOOD = "[]" * 50

pauses_ms: dict[int, list[float]] = {0: [], 1: [], 2: []}
started_s = 0.0


class Node:
    def __init__(self, parent: "Node | None") -> None:
        self.parent = parent
        self.children: list[Node] = []


def parse(text: str) -> Node:
    root = node = Node(None)
    for character in text:
        if character == "[":
            node.children.append(Node(node))
            node = node.children[-1]
        elif node.parent is not None:
            node = node.parent
    if node is not root:
        raise ValueError("unbalanced brackets")
    return root


async def serve(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse(text).children.clear()


def time_collection(phase: str, info: dict[str, int]) -> None:
    global started_s
    if phase == "start":
        started_s = time.monotonic()
    else:
        pauses_ms[info["generation"]].append((time.monotonic() - started_s) * 1e3)


async def main() -> None:
    for _ in range(REQUESTS):
        await asyncio.gather(serve(MALFORMED), serve(GOOD), serve(GOOD))


gc.callbacks.append(time_collection)
asyncio.run(main())
for gen, ms in pauses_ms.items():
    worst_ms = max(ms, default=0)
    print(f"gen{gen}: {len(ms)} collections, {sum(ms):.3f} ms, worst {worst_ms:.3f} ms")
