"""Calls of the program in which a library waited until its own time limit."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

FIND = "/app/users.py:17 find_user"
CLIENT = "/venv/lib/python3.13/site-packages/store/client.py"
STDLIB = "/usr/lib/python3.13/threading.py"


def calls(
    ns=400 * MS, times=2, how="NoServerTimeout", path=CLIENT, called="Users.find", apart=MS,
    pieces=2,
):  # fmt: skip
    """`web` asks so many times; the library looks again between the pieces of a wait."""
    trace = TraceBuilder(argv="users.py", signals=SIGNALS)
    thread, at = trace.thread("web").native(0), MS
    wait = trace.lock("Condition.wait", FIND)
    stack = f"{CLIENT}:244 Topology.select\n{CLIENT}:90 {called}\n{FIND}"
    for _ in range(times):
        for _ in range(pieces):
            thread.lock_wait(
                at, "Condition.wait", lock=wait, site=FIND, stack=stack, acquired=False
            )
            at += ns // pieces
            thread.native(at)
            at += apart
        said = {
            s.ARG_EXCEPTION: how,
            s.ARG_SITE: FIND,
            s.ARG_STACK: f"{path}:244 Topology.select\n{FIND}",
        }
        trace.instant(thread.track, at, s.RAISED, s.CAT_THREAD, **said)
        at += 10 * MS
    thread.end(at)
    return trace.ended(at + MS)


def told(tmp_path, **story):
    return [one for one in find_in(tmp_path, calls(**story)) if "own time limit" in one.text]


def test_a_library_gives_up(tmp_path):
    (found,) = told(tmp_path)
    assert found.text == (
        "Waited in vain: `web` in `find_user` (users.py:17) gave up 2 calls of `Users.find`, "
        "800 ms in total, the longest 400 ms (at 1.00 ms): what it waited for did not come "
        "before the library's own time limit (`NoServerTimeout` in `Topology.select` "
        "(store/client.py:244)). Look whether the other side is there; while it is known not "
        "to be, fail at once, or with a shorter limit."
    )
    assert (found.finding, found.severity_ns) == ("wait in vain", 800 * MS)
    assert found.evidence.site == FIND


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 1, "ns": 900 * MS}, id="once"),
        pytest.param({"ns": 240 * MS}, id="little"),
        pytest.param({"ns": 150 * MS, "times": 9}, id="a short look each time"),
        pytest.param({"how": "NoMaster"}, id="another exception"),
        pytest.param({"how": "TimeoutError"}, id="a limit that the program gave"),
        pytest.param({"path": STDLIB}, id="the program's own limit"),
        pytest.param({"called": "Users.listen"}, id="for what may come at any time"),
        pytest.param({"apart": 60 * MS}, id="it does something in between"),
    ],
)
def test_no_limit_of_a_library(tmp_path, story):
    assert told(tmp_path, **story) == []
