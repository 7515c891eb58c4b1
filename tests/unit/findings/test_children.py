"""Waits for a child that is killed in the end."""

import signal

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from tracer import schema as s
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


def stopped(
    went_on=700 * MS, number=signal.SIGTERM, pid=101, sent=100 * MS, children=2, origin="fork"
):  # fmt: skip
    """`stop_all` sends a signal to its children, and waits for each."""
    family = Family("feeds.py")
    main = family.first.thread("MainThread", 100).native(0)
    made = [
        family.fork(main, MS, 101 + n, name=f"feed-{n}", origin=origin)
        for n in range(children)
    ]
    for n in range(children):
        args = {"child": pid + n, "signal": int(number), "site": "/app/feeds.py:24 stop_all"}
        family.first.instant(main.track, sent, s.SIGNAL_SENT, s.CAT_THREAD, **args)
    at = 110 * MS
    for n, child in enumerate(made):
        end = 100 * MS + went_on + n * MS
        family.main(child).sleep(2 * MS, site="/app/feeds.py:9 poll_feed").native(end - 1)
        family.main(child).end(end)
        child.ended(end)
        main.io(at, "os.waitpid", site="/app/feeds.py:26 stop_all").native(end + 1)
        family.ended(main, child, end + 2, status=0)
        at = end + MS // 2
    main.end(at + MS)
    family.first.ended(at + 2 * MS)
    return family


def went_on(tmp_path, family):
    return [one for one in find_in(tmp_path, family) if "should have ended it" in one.text]


def test_children_that_go_on_after_a_signal(tmp_path):
    (found,) = went_on(tmp_path, stopped())
    assert found.finding == "slow end"
    assert found.text == (
        "In `feeds.py`: Slow end: `MainThread` in `stop_all` (feeds.py:26) waited 690 ms in "
        "`os.waitpid` (at 110 ms) for the end of `feed-0`, which went on for 700 ms after a "
        "signal that should have ended it, 99 % of that time asleep in `poll_feed` "
        "(feeds.py:9). A forked process has the handlers of its parent: set its own "
        "(`signal.signal(SIGTERM, SIG_DFL)`), or look more often at the flag that they set."
    )


def test_a_program_that_was_started_has_a_handler_of_its_own(tmp_path):
    (found,) = went_on(tmp_path, stopped(origin="spawn"))
    assert found.text.endswith(
        "Look at its handler of the signal: what it sets must be looked at often."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"went_on": 500 * MS}, id="not long"),
        pytest.param({"number": signal.SIGHUP}, id="a signal that means something else"),
        pytest.param({"pid": 201}, id="to others"),
        pytest.param({"sent": 600 * MS}, id="it waited before"),
    ],
)
def test_children_that_end_as_they_should(tmp_path, story):
    assert went_on(tmp_path, stopped(**story)) == []
