"""Conservation: the occupants of a resource are charged what was waited for it."""

from collections import Counter
from hashlib import sha256
from pathlib import Path

from viewer.analysis.ledger.account import Kind, account, waits_of
from viewer.analysis.ledger.ledger import Ledger
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace

_seen: set[bytes] = set()


def check_conserved(trace: Path) -> None:
    """The rows of each lane add up to the waits for it. Raises AssertionError."""
    digest = sha256(trace.read_bytes()).digest()
    if digest not in _seen:
        _seen.add(digest)
        adds_up(build_model(read_trace(trace)))


def adds_up(model: Model) -> None:
    charged: Counter[tuple[Kind, int]] = Counter()
    for row in account(model):
        assert row.lost_ns >= row.longest_ns > 0, row
        assert row.waits > 0, row
        charged[row.kind, row.lane] += row.lost_ns
    waited: Counter[tuple[Kind, int]] = Counter()
    for kind in Kind:
        _, waits = waits_of(Ledger.of(model), kind)
        for start, end, lane in zip(waits.start_ns, waits.end_ns, waits.lane, strict=True):
            if lane >= 0:
                waited[kind, lane] += end - start
    assert charged == +waited
