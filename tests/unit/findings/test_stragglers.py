"""Jobs that are far slower than their like, while somebody waits for them alone."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

PROBE = ("probe", "/app/status.py:9 probe")


def batch(slow_ns=900 * MS, usual_ns=30 * MS, jobs=6, waits=True, state="io", slow=1):
    """One job for each worker; the last ones take longer, and `MainThread` waits."""
    trace = TraceBuilder(argv="status.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    idle = trace.lock("executor idle", "")
    submits = [main.submits(n + 1) for n in range(jobs)]
    for n, submit in enumerate(submits):
        ns = slow_ns if n >= jobs - slow else usual_ns
        worker = trace.thread(f"probe_{n}").runs(100, *PROBE, by=submit)
        if state == "io":
            worker.io(100, "socket.recv", site="/app/status.py:12 probe")
        else:
            worker.native(100)
        worker.native(100 + ns).lock_wait(101 + ns, "executor idle", lock=idle)
        worker.native(slow_ns + 10 * MS).end(slow_ns + 11 * MS)
    if waits:
        lock = trace.lock("Future.result", "/app/status.py:22 page")
        main.lock_wait(MS, "Future.result", lock=lock, site="/app/status.py:22 page")
    main.native(slow_ns + MS).end(slow_ns + 12 * MS)
    return trace.ended(slow_ns + 13 * MS)


def test_everybody_waits_for_the_slowest(tmp_path):
    (found,) = find_in(tmp_path, batch())
    assert found.finding == "slow answer"
    assert found.text == (
        "Slow answer: `MainThread` in `page` (status.py:22) waited 870 ms in `Future.result` "
        "(at 30.0 ms) for one last job alone, `probe` (status.py:9) on `probe_5`, 99 % of "
        "that time in `socket.recv` in `probe` (status.py:12); the others took 30.0 ms, as a "
        "rule. Give what the job waits for a time-out, or go on without the last ones."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"slow_ns": 480 * MS}, id="little is lost"),
        pytest.param({"usual_ns": 100 * MS}, id="it takes nine times as long"),
        pytest.param({"jobs": 4}, id="three others"),
        pytest.param({"waits": False}, id="nobody waits"),
        pytest.param({"state": "native"}, id="it has more to compute"),
        pytest.param({"slow": 3}, id="three of six are slow"),
    ],
)
def test_no_straggler(tmp_path, story):
    assert "one last job" not in " ".join(
        one.text for one in find_in(tmp_path, batch(**story))
    )
