"""Objects of a manager, asked again and again."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

LIB = "/usr/lib/python3.13/multiprocessing"
RECV = f"{LIB}/connection.py:395 Connection._recv"
CALL = f"{LIB}/managers.py:824 BaseProxy._callmethod"
TALLY = "/app/count.py:9 tally"


def asked(times=300, each_ns=3 * MS, pause_ns=MS, stack=(RECV, CALL, "<string>:2 get", TALLY)):
    """A thread asks a manager's process, and does something of its own in between."""
    trace = TraceBuilder(argv="count.py", signals=SIGNALS)
    thread, at = trace.thread("MainThread").native(0), MS
    for _ in range(times):
        thread.io(at, "os.read", site=stack[-2], stack="\n".join(stack))
        thread.native(at + each_ns)
        at += each_ns + pause_ns
    thread.end(at)
    return trace.ended(at + MS)


def test_a_dict_of_a_manager_entry_by_entry(tmp_path):
    (found,) = find_in(tmp_path, asked())
    assert (found.finding, found.severity_ns) == ("awaits in turn", 900 * MS)
    assert found.text.startswith(
        "Awaits in turn: `MainThread` in `tally` (count.py:9) asks a manager's process at "
        "least 300 times, one call after the other (at 1.00 ms): 900 ms of waiting, 75 % of "
        "the time from the first to the last, 3.00 ms each."
    )
    assert found.evidence.site == TALLY


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 190}, id="now and then"),
        pytest.param({"each_ns": MS, "pause_ns": 0}, id="little is lost"),
        pytest.param({"pause_ns": 4 * MS}, id="it does more on its own"),
        pytest.param({"each_ns": 6 * MS}, id="it waits for what the object keeps"),
        pytest.param({"stack": (RECV, f"{LIB}/managers.py:256 Server.serve_client", TALLY)},
                     id="the manager itself"),
    ],
)  # fmt: skip
def test_managers_that_are_asked_as_they_should(tmp_path, story):
    assert kinds(tmp_path, asked(**story)) == []
