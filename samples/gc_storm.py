"""The trace must show collections inside `serve`: bad requests leave garbage by the million.

A request is JSON. Every node of its tree knows its parent. A good tree is taken apart once it
was answered; that of malformed JSON, which ends too early, is only dropped, and nobody but the
collector, timed here, frees it. With `tracer run --heap` this garbage is found by its line.
"""

import asyncio
import contextlib
import gc
import json
import re
import time

REQUESTS = 300
MALFORMED = '[{"orders": ' * 2_000
GOOD = "[" + ", ".join(['{"orders": [7]}'] * 25) + "]"
TOKEN = re.compile(r'[\[\]{}]|"[^"]*"|[\w.+-]+')

pauses_ms: dict[int, list[float]] = {0: [], 1: [], 2: []}
started_s = 0.0


class Node:
    def __init__(self, parent: "Node | None") -> None:
        self.parent = parent
        self.children: list[Node | str] = []


def parse(text: str) -> Node:
    root = node = Node(None)
    for token in TOKEN.findall(text):
        if token in "[{":
            child = Node(node)
            node.children.append(child)
            node = child
        elif token not in "]}":
            node.children.append(token)
        elif node.parent is not None:
            node = node.parent
    if node is not root:
        raise json.JSONDecodeError("the text ends inside a list or object", text, len(text))
    return root


def take_apart(node: Node) -> None:
    for child in node.children:
        if isinstance(child, Node):
            take_apart(child)
    node.children.clear()


async def serve(text: str) -> None:
    with contextlib.suppress(json.JSONDecodeError):
        take_apart(parse(text))


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
