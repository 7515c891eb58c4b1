"""Parents and children that all stand still: for messages, for a reader, for an end."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

LIBRARY = "/usr/lib/python3.13/multiprocessing/"
ASK, SERVE = "/app/rpc.py:9 ask", "/app/rpc.py:5 serve"
JOIN = f"{LIBRARY}popen_fork.py:41 Popen.wait\n{LIBRARY}process.py:149 BaseProcess.join\n{ASK}"
RECV = f"{LIBRARY}connection.py:395 Connection._recv\n"


def told(tmp_path, family):
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def stand(
    parent=("os.read", f"{RECV}{ASK}"), child=("os.read", f"{RECV}{SERVE}"), ns=1_000 * MS,
    thread=False, sibling=False, child_ns=0, ends=False, again=1,
):  # fmt: skip
    """Both are in a call for `ns`; `ends`: the child's call is not over at its end."""
    family = Family("rpc.py")
    main = family.first.thread("MainThread").native(0)
    made = family.fork(main, at=MS, pid=101, name="server")
    server, end = family.main(made).native(2 * MS), 20 * MS + again * (ns + MS)
    if sibling:
        other = family.fork(main, at=MS, pid=102, name="other")
        family.main(other).native(2 * MS).end(end + 60 * MS)
        other.ended(end + 60 * MS)
    if thread:
        family.first.thread("reader").native(0).end(end)
    for n in range(again):
        start = 20 * MS + n * (ns + MS)
        main.io(start, parent[0], site=ASK, stack=parent[1]).native(start + ns)
    server.io(10 * MS, child[0], site=SERVE, stack=child[1])
    over = 20 * MS + (child_ns or ns) + 10 * MS
    if not ends:
        server.native(over)
        server.end(max(over, end) + 60 * MS)
    made.ended(max(over, end) + 60 * MS)
    main.end(end + 200 * MS)
    family.first.ended(end + 200 * MS)
    return family


def test_both_wait_for_a_message(tmp_path):
    (found,) = told(tmp_path, stand())
    assert found.finding == "deadlock"
    assert found.text == (
        "Deadlock at 10.0 ms, for 1.02 s: `server` in `serve` (rpc.py:5) waits "
        "for a message of its parent, `rpc.py`, which waits in `ask` (rpc.py:9) for a message "
        "of its children: nobody sends. Let one of them send first."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not long"),
        pytest.param({"thread": True}, id="another thread may send"),
        pytest.param({"sibling": True}, id="another process may send"),
        pytest.param({"child": ("os.read", SERVE)}, id="it reads a file"),
        pytest.param({"parent": ("socket.recv", ASK)}, id="the parent reads from elsewhere"),
    ],
)
def test_a_message_that_may_come(tmp_path, story):
    assert "deadlock" not in [one.finding for one in told(tmp_path, stand(**story))]


WRITES = ("os.write", SERVE)
REAPS = ("os.waitpid", ASK)


def test_a_child_whose_output_nobody_reads(tmp_path):
    (found,) = told(tmp_path, stand(REAPS, WRITES))
    assert found.finding == "full pipe"
    assert found.text == (
        "In `rpc.py`: Full pipe: `MainThread` in `ask` (rpc.py:9) waited 1.00 s in "
        "`os.waitpid` (at 20.0 ms) for the end of `server`, which hung in `os.write` in "
        "`serve` (rpc.py:5): nobody reads what it writes. Read all of it first, then wait for "
        "the end."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not long"),
        pytest.param({"thread": True}, id="a thread may read"),
        pytest.param({"sibling": True}, id="another process may read"),
        pytest.param({"child": ("sleep", SERVE)}, id="it does not write"),
        pytest.param({"child_ns": 600 * MS}, id="it goes on"),
    ],
)
def test_a_child_whose_output_is_read(tmp_path, story):
    found = told(tmp_path, stand(**{"parent": REAPS, "child": WRITES} | story))
    assert "full pipe" not in [one.finding for one in found]


JOINS = ("select.poll.poll", JOIN)


def test_a_child_that_waits_for_more(tmp_path):
    found = told(tmp_path, stand(JOINS, ends=True))[0]
    assert found.finding == "wait in vain"
    assert found.text == (
        "In `rpc.py`: Waited in vain: `MainThread` in `ask` (rpc.py:9) gave up a wait in "
        "`Process.join` after 1.00 s (at 20.0 ms): `server` hung in `os.read` in `serve` "
        "(rpc.py:5) until the end. Tell each of them that nothing comes any more, such as by "
        "a last item for each."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not long"),
        pytest.param({"ends": False}, id="it got something"),
        pytest.param({"again": 3}, id="its parent looks after it"),
        pytest.param({"parent": ("select.poll.poll", ASK)}, id="no join"),
    ],
)
def test_a_child_that_is_looked_after(tmp_path, story):
    found = told(tmp_path, stand(**{"parent": JOINS, "ends": True} | story))
    assert "stood in" not in " ".join(one.text for one in found)
