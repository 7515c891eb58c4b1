"""Readers of queues between processes, and writers that have ended."""

import signal

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from viewer.analysis.findings import Facts, Finding, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

COLLECT = "/app/load.py:21 collect"
LIB = "/usr/lib/python3.13/multiprocessing"
STACK = f"{LIB}/connection.py:440 Connection._poll\n{LIB}/queues.py:113 Queue.get\n{COLLECT}"


def find_in(tmp_path, family: Family) -> tuple[Finding, ...]:
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def collect(
    status=1, ns=700 * MS, comes=False, site=COLLECT, how=None, pipe=False, other=False
):
    """`collect` waits for an item; the child that puts them ends after 50 ms. `pipe`: of a
    pipe, not a queue; `other`: another child is there until the end."""
    family = Family("/app/load.py")
    main = family.first.thread("MainThread", 100).native(0)
    child = family.fork(main, MS, 101, name="loader")
    family.main(child).native(2 * MS).end(49 * MS)
    child.ended(50 * MS)
    stack = STACK.replace(COLLECT, site)
    stack = stack.replace(f"{LIB}/queues.py:113 Queue.get\n", "") if pipe else stack
    if other:
        sibling = family.fork(main, MS, 102, name="other")
        family.main(sibling).native(2 * MS).end(60 * MS + ns)
        sibling.ended(60 * MS + ns)
    end = 50 * MS + ns
    main.io(3 * MS, "select.poll.poll", site=site, stack=stack)
    how = {"signal": how} if how is not None else {"status": status}
    family.ended(main, child, 51 * MS, **how)
    if comes:
        main.io(end, "os.read", site=site, stack=stack)
    main.native(end + 10).end(end + MS)
    family.first.ended(end + 2 * MS)
    return family


def test_a_writer_that_failed(tmp_path):
    (found,) = find_in(tmp_path, collect())
    assert found.finding == "wait in vain"
    assert (
        "Waited in vain: `MainThread` in `collect` (load.py:21) waited for an item of a queue "
        "or pipe of `multiprocessing`: 1 wait, 700 ms (at 3.00 "
        "ms). `loader` had ended with exit code 1 (at 50.0 ms), and nothing came any more."
    ) in found.text
    assert found.evidence.site == COLLECT


@pytest.mark.parametrize("story", [{"pipe": True}, {"other": True}])
def test_a_pipe_of_the_only_child_and_a_queue_of_several(tmp_path, story):
    (found,) = find_in(tmp_path, collect(**story))
    assert "`loader` had ended with exit code 1" in found.text


@pytest.mark.parametrize(("how", "name"), [(signal.SIGKILL, "SIGKILL"), (40, "signal 40")])
def test_a_writer_that_was_killed(tmp_path, how, name):
    (found,) = find_in(tmp_path, collect(how=how))
    assert f"`loader` had ended by {name} (at 50.0 ms)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"status": 0}, id="it ended in order"),
        pytest.param({"how": signal.SIGTERM}, id="somebody ended it"),
        pytest.param({"ns": 400 * MS}, id="little is lost"),
        pytest.param({"comes": True}, id="another one puts"),
        pytest.param({"pipe": True, "other": True}, id="the pipe may be of another child"),
        pytest.param(
            {"site": f"{LIB}/pool.py:579 Pool._handle_results"}, id="a pool's thread"
        ),
    ],
)
def test_nothing_to_say(tmp_path, story):
    assert find_in(tmp_path, collect(**story)) == ()
