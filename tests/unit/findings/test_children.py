"""Waits for a child that is killed in the end."""

import signal

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from viewer.analysis.findings import Facts, Finding, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

SORT = "/app/sort.py:12 sort_lines"
SUBPROCESS = "/usr/lib/python3.13/subprocess.py"
WAIT = f"{SUBPROCESS}:2054 Popen._wait\n{SUBPROCESS}:1274 Popen.wait\n{SORT}"


def find_in(tmp_path, family: Family) -> tuple[Finding, ...]:
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def killed(how=signal.SIGKILL, looks=14, reads=False, site=SORT, pause_ns=50 * MS):
    """`sort_lines` looks for the end of a child every 50 ms, or reads what it writes."""
    family = Family("/app/sort.py")
    main = family.first.thread("MainThread", 100).native(0)
    child = family.fork(main, MS, 101, name="sort")
    at = 2 * MS
    for _ in range(1 if reads else looks):
        if reads:
            main.io(at, "io.BufferedReader.read", site=site, stack=site)
            at += looks * pause_ns
        else:
            module = f"{site.partition(':')[0]}:40 <module>"
            stack = f"{WAIT.replace(SORT, site)}\n{module}"
            main.enter(at, "sleep", "sleep", {"site": site, "stack": stack})
            at += pause_ns
        main.native(at - MS)
    family.main(child).native(2 * MS).end(at)
    child.ended(at + 1)
    family.ended(main, child, at + MS, signal=how)
    main.end(at + 2 * MS)
    family.first.ended(at + 3 * MS)
    return family


def test_a_child_that_had_to_be_killed(tmp_path):
    (found,) = find_in(tmp_path, killed())
    assert found.finding == "wait in vain"
    assert (
        "Waited in vain: `MainThread` in `sort_lines` (sort.py:12) waited 686 ms for a child "
        "in `Popen.wait` (at 2.00 ms), until the child was killed."
    ) in found.text
    assert found.evidence.site == SORT


def test_a_child_whose_output_is_read(tmp_path):
    (found,) = find_in(tmp_path, killed(reads=True))
    assert "for a child in `io.BufferedReader.read` of its output" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"how": signal.SIGTERM}, id="as a service is ended"),
        pytest.param({"looks": 8}, id="little is lost"),
        pytest.param({"site": f"{SUBPROCESS}:9 run"}, id="a library's"),
    ],
)
def test_a_child_that_was_ended(tmp_path, story):
    assert find_in(tmp_path, killed(**story)) == ()


def test_communicate_does_not_need_itself_as_advice(tmp_path):
    stack = (
        f"{SUBPROCESS}:2122 Popen._communicate\n{SUBPROCESS}:1219 Popen.communicate\n{SORT}"
    )
    family = Family("/app/sort.py")
    main = family.first.thread("MainThread", 100).native(0)
    child = family.fork(main, MS, 101, name="sort")
    main.io(2 * MS, "select.poll.poll", site=SORT, stack=stack).native(702 * MS)
    family.main(child).native(2 * MS).end(702 * MS)
    child.ended(702 * MS + 1)
    family.ended(main, child, 703 * MS, signal=signal.SIGKILL)
    main.end(704 * MS)
    family.first.ended(705 * MS)
    (found,) = find_in(tmp_path, family)
    assert "for a child in `Popen.communicate` (at 2.00 ms), until" in found.text
    assert found.text.endswith("It did not end by itself: look at what it does.")
