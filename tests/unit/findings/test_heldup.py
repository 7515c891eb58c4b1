"""Long commands of redis that hold up those of others."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

REDIS = "/venv/lib/python3.13/site-packages/redis/connection.py"
CLEAN, GET = "/app/cache.py:14 clean_up", "/app/cache.py:6 get"


def command(site, function="AbstractConnection.read_response"):
    return {"site": site, "stack": f"{REDIS}:560 {function}\n{site}"}


def shared(
    times=3, long_ns=300 * MS, others=4, late_ns=2 * MS, usual_ns=MS,
    site=CLEAN, function="AbstractConnection.read_response",
):  # fmt: skip
    """A thread has redis run long commands; others ask meanwhile, as before and after."""
    trace = TraceBuilder(argv="cache.py", signals=SIGNALS)
    cleaner, at = trace.thread("cleaner").native(0), 100 * MS
    begins = [at + n * (long_ns + 200 * MS) for n in range(times)]
    for begin in begins:
        cleaner.io(begin, "socket.recv", **command(site, function)).native(begin + long_ns)
    end = begins[-1] + long_ns + 200 * MS
    cleaner.end(end)
    for n in range(others):
        thread, at = trace.thread(f"request-{n}").native(0), MS
        while at < end - 100 * MS:
            held = next((b for b in begins if b <= at < b + long_ns), None)
            done = at + usual_ns if held is None else max(held + long_ns, at) + late_ns
            thread.io(at, "socket.recv", **command(GET)).native(done)
            at = done + 5 * MS
        thread.end(end)
    return trace.ended(end + MS)


def test_a_long_command(tmp_path):
    (found,) = find_in(tmp_path, shared())
    assert found.finding == "slow answer"
    assert found.text.replace(", via `AbstractConnection.read_response`", "") == (
        "Slow answer: redis answers one command after the other, and the one of `cleaner` in "
        "`clean_up` (cache.py:14) took 300 ms (at 100 ms), 3 times. Meanwhile 4 threads "
        "`request-N` in `get` (cache.py:6) waited: 12 answers, 3.55 s in total, came only "
        "when it was over."
    )
    assert found.next_step.startswith("Let it do less at a time")
    assert (found.evidence.site, found.behind) == (CLEAN, CLEAN)


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"late_ns": 30 * MS}, id="the answers come when they like"),
        pytest.param({"long_ns": 90 * MS}, id="it is not long"),
        pytest.param({"times": 1, "others": 2, "long_ns": 200 * MS}, id="little"),
        pytest.param({"others": 1}, id="one other"),
        pytest.param({"site": GET}, id="all are late at one line"),
        pytest.param({"function": "PubSub.parse_response"}, id="it waits for messages"),
    ],
)
def test_commands_that_hold_up_nobody(tmp_path, story):
    assert kinds(tmp_path, shared(**story)) == []
