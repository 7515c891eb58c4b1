"""`python -m benchmarks.soak --minutes 20`: a flight recording for hours, in short.

Two copies of samples/live_service.py, one of them with a flight recording and four triggers,
get the same requests in turns. Each minute a line says what the recorded one holds: memory,
descriptors, disk; and its CPU time for a request against that of the other. What the sample
leaks on purpose (`/ask`) is left out, so that whatever grows is the recorder's. At the end
it says which threads took the CPU time.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
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
VISITORS = 2
PAUSE_S = 0.005  # of a visitor, after each request
RING_BYTES = 64 << 20
ENDED = "threads that ended"
CPU_CLOCK = 2  # how the kernel numbers the clock that counts what the scheduler counts


@dataclass
class Service:
    """A running copy; `folder` is that of its flight recording, None without one."""

    folder: Path | None
    turns: list[float] = field(default_factory=list)  # CPU seconds of each
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
        before = self._cpu_now()
        visitors = [threading.Thread(target=self._visit) for _ in range(VISITORS)]
        for visitor in visitors:
            visitor.start()
        for visitor in visitors:
            visitor.join()
        spent_s = self._cpu_now() - before
        self.turns.append(spent_s)
        lived = self._threads_now()
        lived.subtract(threads)
        lived[ENDED] += int(spent_s * 1e9) - lived.total()
        self.threads.update(lived)

    def split(self) -> str:
        """µs of each thread's name for a request."""
        requests = len(self.turns) * REQUESTS
        return ", ".join(
            f"{name} {ns / 1e3 / requests:.1f}" for name, ns in self.threads.most_common()
        )

    def _visit(self) -> None:
        for n in range(REQUESTS // VISITORS):
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


@dataclass(frozen=True)
class Minute:
    """The mean of its turns; of descriptors and disk, the most."""

    rss_bytes: float
    plain_rss_bytes: float
    descriptors: int
    ring_bytes: int
    snapshots_bytes: int


def one_minute(recorded: Service, plain: Service, seconds: float) -> Minute:
    rss: list[int] = []
    plain_rss: list[int] = []
    descriptors: list[int] = []
    ring: list[int] = []
    snapshots: list[int] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or not rss:
        plain.turn()
        recorded.turn()
        rss.append(recorded.rss_bytes())
        plain_rss.append(plain.rss_bytes())
        descriptors.append(recorded.descriptors())
        ring.append(recorded.disk_bytes(".ring"))
        snapshots.append(recorded.disk_bytes(".pftrace"))
    return Minute(
        statistics.mean(rss),
        statistics.mean(plain_rss),
        max(descriptors),
        max(ring),
        max(snapshots),
    )


def ratio(recorded: Service, plain: Service) -> float:
    """The median of the turns' ratios: a turn and its neighbour see the same machine."""
    pairs = zip(recorded.turns, plain.turns, strict=True)
    return statistics.median(one / other for one, other in pairs if other)


def mean_of(values: list[float]) -> float:
    return statistics.mean(values) / 1e6


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as directory:
        plain, recorded = Service(None), Service(Path(directory) / "flight")
        found: list[Minute] = []
        ends = time.monotonic() + minutes * 60
        while time.monotonic() < ends:
            now = one_minute(recorded, plain, min(60, ends - time.monotonic()))
            found.append(now)
            print(
                f"minute {len(found)}: {len(recorded.turns) * REQUESTS:,} requests each, "
                f"RSS {now.rss_bytes / 1e6:.1f} MB (without {now.plain_rss_bytes / 1e6:.1f}), "
                f"{now.descriptors} descriptors, ring {now.ring_bytes / 1e6:.1f} MB, "
                f"snapshots {now.snapshots_bytes / 1e6:.1f} MB, "
                f"CPU × {ratio(recorded, plain):.3f}",
                flush=True,
            )
        quarter = max(len(found) // 4, 1)
        for name, rss in (
            ("with", [minute.rss_bytes for minute in found]),
            ("without", [minute.plain_rss_bytes for minute in found]),
        ):
            first, last = mean_of(rss[:quarter]), mean_of(rss[-quarter:])
            print(f"RSS {name}: first quarter {first:.1f} MB, last quarter {last:.1f} MB")
        total = sum(recorded.turns) / sum(plain.turns)
        print(f"CPU: × {ratio(recorded, plain):.3f} median of turns, × {total:.3f} in all")
        most = max(minute.ring_bytes for minute in found)
        print(f"ring: {most / 1e6:.1f} MB at most, limit {RING_BYTES / 1e6:.1f} MB")
        print(f"descriptors: {[minute.descriptors for minute in found]}")
        print(f"µs for a request with: {recorded.split()}")
        print(f"µs for a request without: {plain.split()}")
        print(f"recorded: {recorded.end()}")
        print(f"plain: {plain.end()}")


if __name__ == "__main__":
    main()
