"""`python -m benchmarks.soak --minutes 20`: a flight recording for hours, in short.

Copies of samples/live_service.py get the same requests in turns: so many with a flight
recording and four triggers, and twice as many without. One copy may be dearer than its equal
by some percent for as long as it lives, so a side is the median of its copies, and the two
sides without a recording against each other say how far this number can be trusted. Each
minute a line says what the recorded ones hold: memory, descriptors, disk; and their CPU time
for a request against that of the others. What the sample leaks on purpose (`/ask`) is left
out, so that whatever grows is the recorder's. At the end it says which threads took the CPU
time, and how many requests a second a service answered in its turns: with few (`--visitors 2`)
the recorder's wake-ups are shared by few.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parent.parent
PATHS = ("/order", "/report", "/health", "/broken", "/health", "/order", "/health", "/health")
TRIGGERS = ("loop>300ms", "ready>200ms", "lock>50ms", "gil>50ms")
REQUESTS = 400  # of a turn: one of them blocks the loop
PAUSE_S = 0.005  # of a visitor, after each request
RING_BYTES = 64 << 20
ENDED = "threads that ended"
CPU_CLOCK = 2  # how the kernel numbers the clock that counts what the scheduler counts


ON, OFF, OFF_AGAIN = "with", "without", "without again"  # the sides


@dataclass
class Service:
    """A running copy; `folder` is that of its flight recording, None without one."""

    folder: Path | None
    visitors: int
    turns: list[float] = field(default_factory=list)  # CPU seconds of each
    busy_s: float = 0.0  # in turns, by the clock
    threads: Counter[str] = field(default_factory=Counter)  # CPU ns of each name, in turns

    def __post_init__(self) -> None:
        command = [sys.executable]
        if self.folder is not None:
            command += ["-m", "tracer", "run", "--flight", "30s", "--snapshots"]
            command += [str(self.folder)]
            command += [word for trigger in TRIGGERS for word in ("--on", trigger)]
        self.process = subprocess.Popen(
            [*command, str(Path(__file__).with_name("soak_service.py"))],
            env=os.environ | {"PYTHONPATH": str(PROJECT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Each trigger says a line there, and nobody may have to wait for a reader.
        self.said: list[str] = []
        threading.Thread(target=self._listen, daemon=True).start()
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def _listen(self) -> None:
        assert self.process.stderr is not None
        self.said.extend(line.rstrip() for line in self.process.stderr)

    def _cpu_now(self) -> float:
        """Of all its threads, those that have ended, too: the CPU clock of another process."""
        return time.clock_gettime(~self.process.pid << 3 | CPU_CLOCK)

    def _threads_now(self) -> Counter[str]:
        """CPU ns of the threads that run, by their names."""
        now: Counter[str] = Counter()
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # it has ended
                name = (task / "comm").read_text().strip()
                now[name] += int((task / "schedstat").read_text().split()[0])
        return now

    def turn(self) -> None:
        """So many requests; the CPU time of all threads, the recorder's too."""
        threads = self._threads_now()
        begin_s = time.monotonic()
        before = self._cpu_now()
        visitors = [threading.Thread(target=self._visit) for _ in range(self.visitors)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        spent_s = self._cpu_now() - before
        self.busy_s += time.monotonic() - begin_s
        self.turns.append(spent_s)
        lived = self._threads_now()
        lived.subtract(threads)
        lived[ENDED] += int(spent_s * 1e9) - lived.total()
        self.threads.update(lived)

    def _visit(self) -> None:
        for n in range(REQUESTS // self.visitors):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            connection.request("GET", PATHS[n % len(PATHS)])
            connection.getresponse().read()
            connection.close()
            time.sleep(PAUSE_S)

    def rss_bytes(self) -> int:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def disk_bytes(self, suffix: str) -> int:
        """Of the files below what has that suffix."""
        assert self.folder is not None
        sizes = 0
        for path in self.folder.glob(f"*{suffix}"):
            for file in path.iterdir() if path.is_dir() else (path,):
                with contextlib.suppress(FileNotFoundError):  # its turn is over
                    sizes += file.stat().st_size
        return sizes

    def end(self) -> str:
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(120)
        return f"exit code {code}; {self.said[-1] if self.said else ''}"


@dataclass
class Soak:
    """All copies, by their side."""

    sides: dict[str, list[Service]]

    def services(self) -> list[Service]:
        return [service for side in self.sides.values() for service in side]

    def round(self) -> None:
        """A turn of each, in a shuffled order: nobody always comes after the same one."""
        for service in random.sample(self.services(), len(self.services())):
            service.turn()

    def shares(self, side: str) -> list[float]:
        """Of each copy the median of its turns, each over what the copies without a
        recording took in the same round, which saw the same machine."""
        plain = self.sides[OFF] + self.sides[OFF_AGAIN]
        means = [statistics.mean(each) for each in zip(*(s.turns for s in plain), strict=True)]
        return [
            statistics.median(
                turn / mean for turn, mean in zip(service.turns, means, strict=True)
            )
            for service in self.sides[side]
        ]

    def total(self, side: str) -> float:
        """Median over the copies of all their CPU time."""
        return statistics.median(sum(service.turns) for service in self.sides[side])

    def ratio(self) -> str:
        """The recorded side over the others, and these over each other."""
        on, off, again = (
            statistics.median(self.shares(side)) for side in (ON, OFF, OFF_AGAIN)
        )
        return f"× {on / statistics.mean((off, again)):.3f} (off/off {again / off:.3f})"

    def total_ratio(self) -> str:
        on, off, again = (self.total(side) for side in (ON, OFF, OFF_AGAIN))
        return f"× {on / statistics.mean((off, again)):.3f} (off/off {again / off:.3f})"

    def split(self, side: str) -> str:
        """µs of each thread's name for a request, means over the copies."""
        threads = Counter[str]()
        for service in self.sides[side]:
            threads.update(service.threads)
        requests = sum(len(service.turns) for service in self.sides[side]) * REQUESTS
        return ", ".join(
            f"{name} {ns / 1e3 / requests:.1f}" for name, ns in threads.most_common()
        )


@dataclass(frozen=True)
class Minute:
    """Memory: the mean of its rounds and copies. The rest: the most that a copy had."""

    rss_bytes: float
    plain_rss_bytes: float
    descriptors: int
    ring_bytes: int
    snapshots_bytes: int


def one_minute(soak: Soak, seconds: float) -> Minute:
    rss: list[int] = []
    plain_rss: list[int] = []
    descriptors: list[int] = []
    ring: list[int] = []
    snapshots: list[int] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or not rss:
        soak.round()
        plain_rss += (service.rss_bytes() for service in soak.sides[OFF])
        for service in soak.sides[ON]:
            rss.append(service.rss_bytes())
            descriptors.append(service.descriptors())
            ring.append(service.disk_bytes(".ring"))
            snapshots.append(service.disk_bytes(".pftrace"))
    return Minute(
        statistics.mean(rss),
        statistics.mean(plain_rss),
        max(descriptors),
        max(ring),
        max(snapshots),
    )


def mean_of(values: list[float]) -> float:
    return statistics.mean(values) / 1e6


def report(soak: Soak, found: list[Minute]) -> None:
    quarter = max(len(found) // 4, 1)
    for name, rss in (
        (ON, [minute.rss_bytes for minute in found]),
        (OFF, [minute.plain_rss_bytes for minute in found]),
    ):
        first, last = mean_of(rss[:quarter]), mean_of(rss[-quarter:])
        print(f"RSS {name}: first quarter {first:.1f} MB, last quarter {last:.1f} MB")
    print(f"CPU, medians of turns: {soak.ratio()}; in all: {soak.total_ratio()}")
    for side in soak.sides:
        shares = ", ".join(f"{share:.3f}" for share in sorted(soak.shares(side)))
        print(f"each copy {side}, over the mean of those without: {shares}")
    most = max(minute.ring_bytes for minute in found)
    print(f"ring: {most / 1e6:.1f} MB at most, limit {RING_BYTES / 1e6:.1f} MB")
    print(f"descriptors: {[minute.descriptors for minute in found]}")
    for side, services in soak.sides.items():
        requests = sum(len(service.turns) for service in services) * REQUESTS
        rate = requests / sum(service.busy_s for service in services)
        print(f"requests a second in a turn {side}: {rate:.0f}")
        print(f"µs for a request {side}: {soak.split(side)}")
        for service in services:
            print(f"{side}: {service.end()}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--copies", type=int, default=4, help="of each of the three sides")
    parser.add_argument("--visitors", type=int, default=8, help="at once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        copies = range(options.copies)
        soak = Soak(
            {
                ON: [
                    Service(Path(directory) / f"flight-{number}", options.visitors)
                    for number in copies
                ],
                OFF: [Service(None, options.visitors) for _ in copies],
                OFF_AGAIN: [Service(None, options.visitors) for _ in copies],
            }
        )
        found: list[Minute] = []
        ends = time.monotonic() + options.minutes * 60
        while time.monotonic() < ends:
            now = one_minute(soak, min(60, ends - time.monotonic()))
            found.append(now)
            print(
                f"minute {len(found)}: {len(soak.sides[ON][0].turns) * REQUESTS:,} requests "
                f"each, RSS {now.rss_bytes / 1e6:.1f} MB (without "
                f"{now.plain_rss_bytes / 1e6:.1f}), {now.descriptors} descriptors, "
                f"ring {now.ring_bytes / 1e6:.1f} MB, "
                f"snapshots {now.snapshots_bytes / 1e6:.1f} MB, CPU {soak.ratio()}",
                flush=True,
            )
        report(soak, found)


if __name__ == "__main__":
    main()
