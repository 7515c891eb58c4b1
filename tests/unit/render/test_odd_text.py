"""Control characters in a trace, as older recorders wrote them, break no output."""

from pathlib import Path

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.rendering import check_no_control, every_output

MS = 1_000_000
ODD = "a\x1b[31mb\tc\x00d\x7fe\x85f\u2028g\u202eh"
SHOWN = "a\\x1b[31mb\\tc\\x00d\\x7fe\\x85f\\u2028g\\u202eh"
SITE = f"{ODD}.py:3 {ODD}"


@pytest.mark.invalid_traces
def test_it_is_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace = TraceBuilder(signals="tasks,threads,gil,locks,io,cpu", argv=ODD)
    main, worker = trace.thread("Main" + ODD), trace.thread("worker" + ODD)
    lock = trace.lock("Lock", SITE)
    lock.hold(0, 20 * MS, main, SITE)
    main.running(0).release(20 * MS, lock, to=worker).end(60 * MS)
    worker.lock_wait(MS, "Lock", lock=lock, owner=main, acquired=True, site=SITE)
    worker.io(20 * MS, ODD, site=SITE).running(40 * MS).end(60 * MS)
    loop = trace.loop(main)
    task = loop.task(ODD, "task" + ODD, SITE)
    task.ready(0).running(MS).awaits(2 * MS, ODD, site=SITE).ready(30 * MS).running(50 * MS)
    task.done(55 * MS, "failed: " + ODD)
    loop.step(task, MS, 2 * MS)
    loop.step(task, 50 * MS, 55 * MS)
    path = tmp_path / "x.pftrace"
    path.write_bytes(trace.ended(60 * MS).data())
    made = every_output(path, capsys)
    check_no_control(made)
    for name in ("report --section all", "why"):
        assert f"worker{SHOWN}" in made[name].replace("\n    ", " ")
