"""`python -m benchmarks.latency`: what a profile and a snapshot do to a loop's response times.

A server of a few lines on asyncio (or uvloop) is recorded in flight, or only listens; another
process sends requests at a fixed rate, each at its time whether or not the last one was
answered, and measures from that time on. Phases without and with a profile and a snapshot take
turns.
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
from dataclasses import dataclass, field
from pathlib import Path

SERVER = """
import asyncio, sys
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
        self.transport.write(b"ok" * (len(data) // 2))

async def main():
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


def disturb(address: str, pid: int, seconds: int, kind: str) -> None:
    """A profile, and a snapshot in its middle."""

    def take_snapshot() -> None:
        command = [sys.executable, "-m", "tracer", "snapshot", str(pid)]
        subprocess.run(command, check=True, capture_output=True)

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
    for _ in range(options.rounds):
        phases = []
        for is_disturbed in (False, True):
            time.sleep(REST_S)
            asks = threading.Timer(REST_S, disturb, (address, pid, options.seconds, kind))
            if is_disturbed:
                asks.start()
            words = map(str, (port, options.rate, options.seconds + 4 * REST_S))
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
            windows[is_disturbed].append(phases[-1].windows(options.rate))
            print("with   " if is_disturbed else "without", phases[-1].row(), flush=True)
        changes.append(phases[1].quantile(0.99) - phases[0].quantile(0.99))
    print(
        f"{kind}, {options.loop}: p99 changes by {statistics.median(changes):+.3f} ms "
        f"(median of {options.rounds}: {', '.join(f'{c:+.3f}' for c in changes)})"
    )
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
