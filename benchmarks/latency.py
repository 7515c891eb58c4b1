"""`python -m benchmarks.latency`: what a profile and a snapshot do to a loop's response times.

A server of a few lines on asyncio (or uvloop) is recorded in flight, or only listens; another
process sends requests at a fixed rate, each at its time whether or not the last one was
answered, and measures from that time on. Phases without and with a profile and a snapshot take
turns.

Where other programs have the machine, these times say more of them than of the recorder. So
the server's loop also sets itself a timer every 2 ms, and notes how late each comes, and how
long its thread waited for a CPU meanwhile, by the kernel's own count. What makes those late
for which it did not wait is in the process. These are few on a busy machine; so there is also,
of all, the lateness without that wait: it is too little by what the thread had waited before
the timer was due.
"""

from __future__ import annotations

import argparse
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SERVER = """
import array, asyncio, os, sys, time
import tracer
if sys.argv[1] == "alone":
    print(tracer.listen("127.0.0.1:0"), flush=True)
else:
    tracer.flight("flight", seconds=30)
    print(tracer.listen("127.0.0.1:0"), flush=True)

class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport = transport
    def data_received(self, data):
        if data == b"t":
            self.transport.write(ticks.tobytes())
            self.transport.close()
            del ticks[:]
        else:
            self.transport.write(b"ok" * (len(data) // 2))

TICK_S = 0.002
ticks = array.array("q")  # of each: when it came, how late, how long the thread was queued
queue = os.open("/proc/thread-self/schedstat", os.O_RDONLY)

def queued_ns():
    return int(os.pread(queue, 100, 0).split()[1])

def tick(loop, due, queued):
    late_ns, now_queued = int((loop.time() - due) * 1e9), queued_ns()
    ticks.extend((time.monotonic_ns(), late_ns, now_queued - queued))
    due = loop.time() + TICK_S
    loop.call_at(due, tick, loop, due, now_queued)

async def main():
    loop = asyncio.get_running_loop()
    tick(loop, loop.time(), queued_ns())
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

if sys.argv[2] == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""
REQUEST = b"hi"
CONNECTIONS = 50
WINDOW_S = 0.5
UNDISTURBED_NS = 20_000  # in the run queue
REST_S = 1.0  # between two phases, and before the profile in one


@dataclass(slots=True)
class Phase:
    """Response times in ms, and what was sent in how long."""

    times_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0

    def quantile(self, share: float) -> float:
        ordered = sorted(self.times_ms)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    def windows(self, rate: int) -> list[float]:
        """The p99 of each WINDOW_S, in order."""
        size = int(rate * WINDOW_S)
        parts = [self.times_ms[i : i + size] for i in range(0, len(self.times_ms), size)]
        return [Phase(part).quantile(0.99) for part in parts if len(part) == size]

    def row(self) -> str:
        return (
            f"{len(self.times_ms) / self.seconds:7.0f}/s  p50 {self.quantile(0.5):7.3f} ms  "
            f"p99 {self.quantile(0.99):7.3f} ms  p99.9 {self.quantile(0.999):8.3f} ms  "
            f"max {max(self.times_ms):8.2f} ms"
        )


def load(port: int, rate: int, seconds: float) -> Phase:
    """So many requests a second, over connections in turn; one that is not answered yet gets
    the next request all the same."""
    poller = select.epoll()
    peers = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    sent: dict[int, list[float]] = {}
    sockets = {}
    for peer in peers:
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.setblocking(False)
        poller.register(peer, select.EPOLLIN)
        sent[peer.fileno()], sockets[peer.fileno()] = [], peer
    phase, begun, number = Phase(), time.perf_counter(), 0
    total = int(rate * seconds)
    while number < total or any(sent.values()):
        now = time.perf_counter()
        while number < total and begun + number / rate <= now:
            peer = peers[number % CONNECTIONS]
            sent[peer.fileno()].append(begun + number / rate)
            peer.send(REQUEST)
            number += 1
        wait = begun + number / rate - time.perf_counter() if number < total else 1
        for fd, _ in poller.poll(max(wait, 0)):
            answers = len(sockets[fd].recv(1 << 16)) // len(REQUEST)
            now = time.perf_counter()
            phase.times_ms += [(now - at) * 1000 for at in sent[fd][:answers]]
            del sent[fd][:answers]
    phase.seconds = time.perf_counter() - begun
    for peer in peers:
        peer.close()
    return phase


@dataclass(slots=True)
class Ticks:
    """How late the server's timers came."""

    late_ms: list[float] = field(default_factory=list)  # for which it did not wait for a CPU
    own_ms: list[float] = field(default_factory=list)  # of all, without that wait

    def add(self, rows: Iterable[tuple[int, int, int]], since_ns: int, until_ns: int) -> None:
        """Those that came in the time given."""
        for came_ns, late_ns, queued_ns in rows:
            if not since_ns <= came_ns <= until_ns:
                continue
            self.own_ms.append(max(late_ns - queued_ns, 0) / 1e6)
            if queued_ns < UNDISTURBED_NS:
                self.late_ms.append(late_ns / 1e6)

    def rows(self) -> Iterator[str]:
        for what, late_ms in (
            ("that waited for no CPU", self.late_ms),
            ("without that wait", self.own_ms),
        ):
            if late_ms:
                late = Phase(late_ms)
                yield (
                    f"{len(late_ms):6,} timers {what}: p50 {late.quantile(0.5):.3f} ms  "
                    f"p99 {late.quantile(0.99):.3f} ms  p99.9 {late.quantile(0.999):.3f} ms  "
                    f"max {max(late_ms):.2f} ms late"
                )


def ticks_of(port: int) -> list[tuple[int, int, int]]:
    """Of each timer since the last question: when it came, how late, the wait; in ns."""
    told = array("q")
    with socket.create_connection(("127.0.0.1", port)) as asking:
        asking.sendall(b"t")
        told.frombytes(b"".join(iter(lambda: asking.recv(1 << 16), b"")))
    return list(zip(told[::3], told[1::3], told[2::3], strict=True))


@dataclass(slots=True)
class Snapshot:
    """When it was being taken."""

    begin_ns: int = 0
    end_ns: int = 0


def disturb(address: str, pid: int, seconds: int, kind: str, when: Snapshot) -> None:
    """A profile, and a snapshot in its middle."""

    def take_snapshot() -> None:
        command = [sys.executable, "-m", "tracer", "snapshot", str(pid)]
        when.begin_ns = time.monotonic_ns()
        subprocess.run(command, check=True, capture_output=True)
        when.end_ns = time.monotonic_ns()

    timer = threading.Timer(seconds / 2, take_snapshot)
    if kind == "flight":
        timer.start()
    with urllib.request.urlopen(f"{address}profile?seconds={seconds}") as reply:
        reply.read()
    timer.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=10, help="of a profile")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument(
        "--alone", action="store_true", help="nothing is recorded besides the profile"
    )
    options = parser.parse_args()
    kind = "alone" if options.alone else "flight"
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "server.py"
        script.write_text(SERVER)
        server = subprocess.Popen(
            [sys.executable, str(script), kind, options.loop],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            address, port = server.stdout.readline().strip(), int(server.stdout.readline())
            compare(address, port, server.pid, kind, options)
        finally:
            server.kill()
            server.wait()


def compare(address: str, port: int, pid: int, kind: str, options: argparse.Namespace) -> None:
    load(port, options.rate, 2)  # everything is warm
    changes = []
    windows: list[list[list[float]]] = [[], []]  # of the phases without, and with
    ticks, snapshots = [Ticks(), Ticks()], Ticks()
    for _ in range(options.rounds):
        phases = []
        for is_disturbed in (False, True):
            time.sleep(REST_S)
            when = Snapshot()
            arguments = (address, pid, options.seconds, kind, when)
            asks = threading.Timer(REST_S, disturb, arguments)
            if is_disturbed:
                asks.start()
            words = map(str, (port, options.rate, options.seconds + 4 * REST_S))
            begun_ns = time.monotonic_ns()
            found = subprocess.run(
                [sys.executable, "-m", "benchmarks.latency_load", *words],
                check=True,
                capture_output=True,
                text=True,
            )
            *times, seconds = map(float, found.stdout.split())
            phases.append(Phase(times, seconds))
            if is_disturbed:
                asks.join()
            seen = ticks_of(port)
            ticks[is_disturbed].add(seen, begun_ns, time.monotonic_ns())
            snapshots.add(seen, when.begin_ns, when.end_ns)
            windows[is_disturbed].append(phases[-1].windows(options.rate))
            print("with   " if is_disturbed else "without", phases[-1].row(), flush=True)
        changes.append(phases[1].quantile(0.99) - phases[0].quantile(0.99))
    print(
        f"{kind}, {options.loop}: p99 changes by {statistics.median(changes):+.3f} ms "
        f"(median of {options.rounds}: {', '.join(f'{c:+.3f}' for c in changes)})"
    )
    for name, late in zip(
        ("without", "with   ", "while a snapshot was taken"), (*ticks, snapshots), strict=True
    ):
        for row in late.rows():
            print(f"{name} {row}")
    snapshot_s, end_s = REST_S + options.seconds / 2, REST_S + options.seconds
    print(f"snapshot at {snapshot_s} s, end of the profile at {end_s} s, then its derivation")
    # What other programs do to a window is not there in every round; what we do is.
    for name, rounds in zip(("without", "with   "), windows, strict=True):
        least = [min(each) for each in zip(*rounds, strict=False)]
        print(
            f"{name} p99 of {WINDOW_S} s, least of {options.rounds} rounds: "
            f"median {statistics.median(least):.3f} ms; "
            f"one after the other: {' '.join(f'{ms:.1f}' for ms in least)}"
        )


if __name__ == "__main__":
    main()
