"""The process that sends the requests of latency.py: `PORT RATE SECONDS`."""

import sys

from benchmarks.latency import load

if __name__ == "__main__":
    phase = load(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
    print(*(f"{ms:.4f}" for ms in phase.times_ms), phase.seconds)
