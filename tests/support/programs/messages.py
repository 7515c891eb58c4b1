"""Two processes that wait for each other's messages: through a pipe, a pair, and queues.

    messages.py fork|spawn

The last line of the output is what both did, as JSON: by channel who read when (before and
after, CLOCK_MONOTONIC), and who wrote when (before).
"""

import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from typing import Any

PAUSES_S = [0.001 * 2**n for n in range(7)]  # even on a busy machine some are long enough


def read(get: Callable[[], Any], log: list[tuple[int, int]]) -> None:
    before = time.monotonic_ns()
    get()
    log.append((before, time.monotonic_ns()))


def write(put: Callable[[Any], None], log: list[int]) -> None:
    for number, pause_s in enumerate(PAUSES_S):
        time.sleep(pause_s)
        log.append(time.monotonic_ns())
        put(number)  # the line that an arrow comes from


def child(ends: dict[str, Any]) -> None:
    read_by_child: dict[str, list[tuple[int, int]]] = {}
    for name in ("pair", "one way", "queue", "poll"):
        get = ends[name].get if name == "queue" else ends[name].recv
        log = read_by_child.setdefault(name, [])
        for _ in PAUSES_S:
            if name == "poll":
                read(lambda: ends["poll"].poll(60) and ends["poll"].recv(), log)
            else:
                read(get, log)
    written: dict[str, list[int]] = {"back": [], "simple": []}
    write(ends["pair"].send, written["back"])
    write(ends["simple"].put, written["simple"])
    ends["simple"].put((read_by_child, written))


def main(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    here, there = context.Pipe()
    read_end, write_end = context.Pipe(duplex=False)
    poll_end, poll_here = context.Pipe()
    queue, simple = context.Queue(), context.SimpleQueue()
    ends = {
        "pair": there, "one way": read_end, "poll": poll_end, "queue": queue, "simple": simple
    }  # fmt: skip
    process = context.Process(target=child, args=(ends,))
    process.start()
    written: dict[str, list[int]] = {}
    for name, put in (
        ("pair", here.send),
        ("one way", write_end.send),
        ("queue", queue.put),
        ("poll", poll_here.send),
    ):
        write(put, written.setdefault(name, []))
    been_read: dict[str, list[tuple[int, int]]] = {"back": [], "simple": []}
    for name, get in (("back", here.recv), ("simple", simple.get)):
        for _ in PAUSES_S:
            read(get, been_read[name])
    read_by_child, written_by_child = simple.get()
    process.join()
    pids = {name: process.pid if name in written_by_child else None for name in
            (*written, *written_by_child)}  # fmt: skip
    told = {"read": been_read | read_by_child, "written": written | written_by_child}
    print(json.dumps(told | {"writer": pids}))


if __name__ == "__main__":
    main(sys.argv[1])
