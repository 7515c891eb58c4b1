"""Everything that is hard on a sampler at once: run as a program, with every frame walked in a
signal handler thousands of times a second.

    python -m tests.support.programs.sampler_stress SECONDS HZ TRACE

Prints one line of JSON: samples, stacks that could not be walked, samples lost, samples in
code that has died, samples labelled with a task, and how often each kind of work came round.
"""

import asyncio
import json
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from tests.support.validator.rules import validate
from tests.support.validator.strict import read_strict
from tracer import _core, schema
from tracer.recorder import Options, Recording
from viewer.commands.profiles import profile_of

TEXT = "the quick brown fox jumps over the lazy dog " * 50
rounds: Counter[str] = Counter()
until = 0.0


def down(n: int) -> int:
    return n and down(n - 1) + 1


def recursion() -> None:
    for depth in (10, 100, 700):
        assert down(depth) == depth


def delegating(depth: int) -> Iterator[int]:
    if depth:
        yield from delegating(depth - 1)
    else:
        yield from range(20)


def generators() -> None:
    assert sum(delegating(150)) == 190


def dying_code() -> None:
    """Functions, their code and their line tables come and go."""
    for n in range(30):
        space: dict[str, object] = {}
        source = (
            "def f(n):\n"
            + "\n" * (n % 7)
            + f"  total = {n}\n  for i in range(n): total += i\n"
        )
        source += "  return [g(i) for i in range(3) for g in (lambda i: i * i,)]\n"
        exec(compile(source, f"<made {n}>", "exec"), space)
        space["f"](50)  # type: ignore[operator]


class Odd(Exception):
    pass


def exceptions() -> None:
    def fail(depth: int) -> None:
        try:
            if not depth:
                raise Odd
            fail(depth - 1)
        finally:
            len(TEXT)

    for _ in range(20):
        try:
            fail(20)
        except Odd as error:
            rounds["tracebacks"] += error.__traceback__ is not None


def in_c() -> None:
    sorted(((i * 7919) % 1009 for i in range(2000)), key=lambda i: -i)
    zlib.compress(TEXT.encode() * 4)
    re.findall(r"(\w+) (\w+)", TEXT)
    pickle.loads(pickle.dumps(json.loads(json.dumps([{"a": i} for i in range(50)]))))


async def numbers(n: int) -> AsyncIterator[int]:
    for i in range(n):
        await asyncio.sleep(0)
        yield i


async def tasks() -> None:
    async def one() -> int:
        return sum([i async for i in numbers(5)])

    await asyncio.gather(*(one() for _ in range(20)))


def loops() -> None:
    asyncio.run(tasks())


def short_threads() -> None:
    threads = [threading.Thread(target=down, args=(50,)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def forks() -> None:
    pid = os.fork()
    if not pid:
        try:
            down(200)
            in_c()
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


def processes() -> None:
    assert subprocess.run([sys.executable, "-S", "-c", "pass"], check=False).returncode == 0


WORK: list[Callable[[], None]] = [
    recursion, generators, dying_code, exceptions, in_c, loops, short_threads,
]  # fmt: skip


def repeat(work: Callable[[], None]) -> None:
    while time.monotonic() < until:
        work()
        rounds[work.__name__] += 1


def main(seconds: float, hz: int, path: Path) -> None:
    global until
    sys.setrecursionlimit(5000)
    _core.sample_wall_clock(True)
    options = Options(
        str(path), signals=("tasks", "threads", "gc", "cpu"), force=True, cpu_hz=hz
    )
    recording = Recording(options)
    recording.start()
    before_s = time.process_time()
    until = time.monotonic() + seconds
    threads = [threading.Thread(target=repeat, args=(work,)) for work in WORK]
    for thread in threads:
        thread.start()
    while time.monotonic() < until:
        forks()
        processes()
        rounds["forks"] += 1
    for thread in threads:
        thread.join()
    cpu_s = time.process_time() - before_s
    recording.stop()
    _core.sample_wall_clock(False)
    validate(path.read_bytes())
    samples = read_strict(path.read_bytes()).samples
    roots = Counter(sample.frames[0][0] for sample in samples)
    leaves = Counter(sample.leaf for sample in samples)
    labelled = sum(
        sample.values[0]
        for sample in profile_of(path, "cpu").samples
        if "coroutine" in dict(sample.labels)
    )
    said = {
        "cpu_s": cpu_s,
        "samples": len(samples),
        "broken": roots[schema.FRAME_BROKEN],
        "lost": leaves[schema.FRAME_LOST],
        "dying": sum("<made" in sample.frames[-1][1] for sample in samples),
        "in_tasks": labelled,
        "rounds": dict(rounds),
    }
    print(json.dumps(said))


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
