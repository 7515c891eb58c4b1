"""Barriers whose missing party waits for those who are there."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

MEETS, TAKES = "/app/shard.py:10 shard", "/app/shard.py:8 shard"
BEFORE = "/app/shard.py:7 shard"


def shards(meets=MEETS, late="Semaphore", missing="shard-2", acquired=False):
    """Two threads wait at a barrier; a third one waits at another line for 1 s."""
    trace = TraceBuilder(argv="shard.py", signals=SIGNALS)
    permits, barrier = trace.lock("Semaphore", TAKES), trace.lock("Barrier.wait", MEETS)
    there = [trace.thread(f"shard-{n}").native(0) for n in range(2)]
    for n, thread in enumerate(there):
        thread.lock_wait(
            (10 + n) * MS, "Barrier.wait", lock=barrier, site=meets, stack=meets,
            acquired=acquired,
        ).native(1_000 * MS)  # fmt: skip
    other = trace.thread(missing).native(0)
    if late == "Semaphore":
        other.lock_wait(
            20 * MS, late, lock=permits, site=TAKES, stack=TAKES, acquired=acquired
        )
    else:
        other.sleep(20 * MS, site=TAKES)
    other.native(1_001 * MS)
    for thread in (*there, other):
        thread.end(1_002 * MS)
    return trace.ended(1_003 * MS)


def test_the_missing_party_waits_for_their_permits(tmp_path):
    found = find_in(tmp_path, shards())
    assert [one.finding for one in found] == ["deadlock"]
    assert found[0].text == (
        "Deadlock at 20.0 ms, for 980 ms: 2 threads `shard-N` in `shard` (shard.py:10) wait "
        "at a barrier for `shard-2`; `shard-2` in `shard` (shard.py:8) waits for a permit of "
        "a `Semaphore`, which 2 threads `shard-N` have. Give the slot back before waiting for "
        "something else, or take both in one order."
    )
    assert found[0].severity_ns == (990 + 989 + 981) * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"late": "sleep"}, id="it sleeps"),
        pytest.param({"meets": BEFORE}, id="they have no permit yet"),
        pytest.param({"missing": "loader"}, id="somebody of another name"),
        pytest.param({"acquired": True}, id="all get there in the end"),
    ],
)
def test_no_circle(tmp_path, story):
    assert "deadlock" not in [one.finding for one in find_in(tmp_path, shards(**story))]
