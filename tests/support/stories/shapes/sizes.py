"""What the shapes share."""

from tests.support.builder.trace import TraceBuilder

US = 1_000
MS = 1_000_000


def shaped() -> TraceBuilder:
    return TraceBuilder(argv="shape.py", signals="tasks,threads,gc,gil,locks,io,cpu")
