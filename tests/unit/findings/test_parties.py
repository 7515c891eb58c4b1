"""Barriers, and a party for which the others wait."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

SITE = "/app/sim.py:9 simulate"


def rounds(count=4, slow_ns=200 * MS, others=2, in_turn=False, work_ns=10 * MS):
    """Each round, all but one party wait at the barrier until that one has come."""
    trace = TraceBuilder(argv="sim.py", signals=SIGNALS)
    parties = [trace.thread(f"shard-{n}") for n in range(others + 1)]
    barrier, at = trace.lock("Barrier.wait", "sim.py:3"), 0
    for k in range(count):
        last = parties[k % len(parties) if in_turn else -1]
        for n, party in enumerate(parties):
            party.native(at)
            if party is not last:
                party.lock_wait(at + work_ns + n, "Barrier.wait", lock=barrier, site=SITE)
        last.sleep(at + 1000, site="/app/sim.py:5 load")
        at += slow_ns
        last.native(at)
        for party in parties:
            if party is not last:
                last.release(at, barrier, to=party)
    for party in parties:
        party.native(at).end(at + MS)
    return trace.ended(at + 2 * MS)


def test_one_party_comes_last(tmp_path):
    (found,) = find_in(tmp_path, rounds())
    assert found.finding == "uneven workers"
    assert found.text == (
        "Uneven workers: 2 threads `shard-N` in `simulate` (sim.py:9) waited for `shard-2` in "
        "`Barrier.wait` for 4 rounds: 1.52 s in 8 waits, the longest 190 ms (at "
        "10.0 ms), 100 % of all waiting "
        "there. It comes last, 100 % of that time asleep in `load` (sim.py:5). Give the "
        "parties equal parts, or let the fast ones go on with the next part meanwhile."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 2}, id="two rounds"),
        pytest.param({"slow_ns": 60 * MS}, id="little is lost"),
        pytest.param({"in_turn": True}, id="each comes last in turn"),
        pytest.param({"work_ns": 120 * MS}, id="they mostly work"),
    ],
)
def test_parties_that_are_even(tmp_path, story):
    assert kinds(tmp_path, rounds(**story)) == []
