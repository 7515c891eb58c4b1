"""Children whose end is asked for again and again, while nobody reads what they write."""

import signal

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS, find_in

RUN = "/app/tool.py:17 run_script"
SUBPROCESS = "/usr/lib/python3.13/subprocess.py"
READS = f"{SUBPROCESS}:2142 Popen._communicate\n{SUBPROCESS}:1219 Popen.communicate\n{RUN}"


def polled(pauses=12, ends_ns=10 * MS, how=0, stack=READS, read_after=MS):
    """`run_script` sleeps for 50 ms again and again, then reads the child's output."""
    family = Family("/app/tool.py")
    main = family.first.thread("MainThread", 100).native(0)
    child = family.fork(main, MS, 101, name="tool")
    at = 2 * MS
    for _ in range(pauses):
        main.enter(at, "sleep", "sleep", {"site": RUN, "stack": RUN}).native(at + 49 * MS)
        at += 50 * MS
    family.main(child).native(2 * MS).end(at + ends_ns - MS)
    child.ended(at + ends_ns - MS + 1)
    reads_at = at + read_after
    ends = [(at + ends_ns, True), (reads_at, False)]
    for when, is_end in sorted(ends):
        if is_end:
            family.ended(main, child, when, signal=how)
        else:
            main.io(when, "os.read", site=RUN, stack=stack).native(when + 4 * MS)
    main.end(at + 200 * MS)
    family.first.ended(at + 201 * MS)
    return family


def test_a_child_that_nobody_reads(tmp_path):
    (found,) = find_in(tmp_path, polled())
    assert found.finding == "full pipe"
    assert found.text == (
        "Full pipe: `MainThread` in `run_script` (tool.py:17) looked again and again for the "
        "end of a child, 12 pauses, 599 ms in total (at 2.00 ms): the child writes to a pipe, "
        "which was full and which nobody read until then. Read the pipe while the child runs: "
        "`communicate(timeout=…)`, or a thread that reads."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"pauses": 8}, id="little is lost"),
        pytest.param({"ends_ns": 60 * MS}, id="it works on after its output was read"),
        pytest.param({"how": signal.SIGTERM}, id="it is ended"),
        pytest.param({"stack": RUN}, id="a file is read"),
        pytest.param({"ends_ns": 2 * MS, "read_after": 3 * MS}, id="it had ended before"),
    ],
)
def test_other_children(tmp_path, story):
    assert "full pipe" not in {one.finding for one in find_in(tmp_path, polled(**story))}
