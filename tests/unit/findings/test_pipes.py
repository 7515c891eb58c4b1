"""Waits for a child's output which go on when the child has ended, or has printed."""

import pytest

from tests.support.builder.encoding import Arg
from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

SITE = "/app/start.py:9 start_service"
PYTHON = "/usr/lib/python3.13/"
POLL = (
    f"{PYTHON}selectors.py:398 _PollLikeSelector.select\n"
    f"{PYTHON}subprocess.py:2120 Popen._communicate\n"
    f"{PYTHON}subprocess.py:1220 Popen.communicate\n{SITE}"
)
READ = f"{PYTHON}subprocess.py:1207 Popen.communicate\n{SITE}"
WAIT = f"{PYTHON}subprocess.py:2040 Popen._wait\n{PYTHON}subprocess.py:1209 Popen.communicate"


def starts(
    seen=60 * MS, told=None, until=1_500 * MS, call="select.poll.poll", stack=POLL,
    signal=0, next_child=False,
):  # fmt: skip
    """`start_service` starts a child and reads its output to the end; the recorder sees at
    `seen` that the child has ended. `told`: the program is told by then; else afterwards."""
    trace = TraceBuilder(argv="start.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    args: dict[str, Arg] = {"child": 4711, "command": "sh -c daemon", "site": SITE}
    trace.instant(main.track, MS, s.SPAWN, s.CAT_THREAD, **args)
    if seen is not None:
        trace.instant(trace.tracer, seen, s.CHILD_UNREAPED, s.CAT_TRACER, child=4711)
    end = {"signal": signal} if signal else {"status": 0}
    if told is not None:
        trace.instant(main.track, told, s.CHILD_ENDED, s.CAT_THREAD, child=4711, **end)
    if next_child:
        args |= {"child": 4712}
        trace.instant(main.track, told + 1, s.SPAWN, s.CAT_THREAD, **args)
    main.io(80 * MS if told else 20 * MS, call, site=SITE, stack=stack).native(until)
    if told is None:
        trace.instant(main.track, until + 2, s.CHILD_ENDED, s.CAT_THREAD, child=4711, **end)
    main.end(until + MS)
    return trace.ended(until + 2 * MS)


def test_a_child_that_leaves_a_daemon_behind(tmp_path):
    (found,) = find_in(tmp_path, starts())
    assert found.finding == "wait in vain"
    assert found.severity_ns == 1_440 * MS
    assert found.text == (
        "`MainThread` in `start_service` (start.py:9) waited 1.44 s in `select.poll.poll` (at "
        "60.0 ms) for the end of the output of its child `sh -c daemon`, though the child had "
        "ended: what it has left behind still has the pipe. Give that another output "
        "(`>/dev/null 2>&1`, `stdout=subprocess.DEVNULL`), or start the child in a group that "
        "is ended as one (`process_group=0`, `os.killpg`)."
    )
    assert found.evidence.site == SITE


def test_a_child_that_was_killed_first(tmp_path):
    """It was in `communicate` already; what it waited for is no child that must be killed."""
    (found,) = find_in(tmp_path, starts(signal=9))
    assert "left behind" in found.text


def test_a_child_whose_end_the_program_knows(tmp_path):
    told = starts(seen=None, told=70 * MS, call="io.BufferedReader.read", stack=READ)
    (found,) = find_in(tmp_path, told)
    assert found.severity_ns == 1_420 * MS
    assert "(at 80.0 ms) for the end of the output of its child `sh -c daemon`" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"until": 540 * MS}, id="not long"),
        pytest.param({"seen": None}, id="the child runs"),
        pytest.param({"seen": 1_200 * MS}, id="it ends shortly before"),
        pytest.param({"call": "os.waitpid", "stack": WAIT}, id="a wait for the child's end"),
        pytest.param({"stack": SITE}, id="another wait"),
        pytest.param(
            {"seen": None, "told": 70 * MS, "next_child": True}, id="of the next child"
        ),
    ],
)
def test_children_that_still_run(tmp_path, story):
    assert "left behind" not in " ".join(
        one.text for one in find_in(tmp_path, starts(**story))
    )


FINISH = "/app/feed.py:12 finish"


def filtered(forked=10 * MS, ends=900 * MS, over=905 * MS, waits="os.waitpid", origin="fork"):
    """`finish` closes the input of a filter that was started at 5 ms, and waits for it."""
    family = Family("feed.py")
    main = family.first.thread("MainThread").native(0)
    args: dict[str, Arg] = {"child": 4711, "command": "sort", "site": "/app/feed.py:5 main"}
    family.first.instant(main.track, 5 * MS, s.SPAWN, s.CAT_THREAD, **args)
    agent = family.fork(main, at=forked, pid=101, name="agent", origin=origin)
    family.main(agent).sleep(forked + 1, site="/app/feed.py:30 agent").native(ends - 1).end(
        ends
    )
    agent.ended(ends)
    main.io(20 * MS, waits, site=FINISH).native(over)
    family.first.instant(
        main.track, over + 1, s.CHILD_ENDED, s.CAT_THREAD, child=4711, status=0
    )
    main.end(max(over, ends) + MS)
    family.first.ended(max(over, ends) + 2 * MS)
    return family


def siblings(tmp_path, family):
    found = find(Facts(build_model(read_trace(family.write(tmp_path)))))
    return [one for one in found if "a copy of this end" in one.text]


def test_a_process_that_was_forked_later_has_the_pipe(tmp_path):
    (found,) = siblings(tmp_path, filtered())
    assert (found.finding, found.severity_ns) == ("wait in vain", 885 * MS)
    assert found.text == (
        "In `feed.py`: Waited in vain: `MainThread` in `finish` (feed.py:12) waited 885 ms in "
        "`os.waitpid` (at 20.0 ms) for `sort`, which ended as soon as `agent` did. That was "
        "forked later in `start` (service.py:9), and so has a copy of this end of the child's "
        "pipes: closing `stdin` here does not end its input. Fork before the child is "
        "started, or use the start method `spawn` or `forkserver`."
    )
    assert found.evidence.site == FINISH


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ends": 500 * MS, "over": 505 * MS}, id="not long"),
        pytest.param({"forked": MS}, id="it was forked before"),
        pytest.param({"ends": 800 * MS}, id="the filter goes on"),
        pytest.param({"ends": 950 * MS}, id="the filter ends first"),
        pytest.param({"origin": "spawn"}, id="a program of its own"),
        pytest.param({"waits": "socket.recv"}, id="another wait"),
    ],
)
def test_siblings_without_the_pipe(tmp_path, story):
    assert siblings(tmp_path, filtered(**story)) == []


FOLLOW, PRINT = "/app/follow.py:21 follow", "/app/convert.py:6 convert"
RUN = f"/usr/lib/python3.13/subprocess.py:556 run\n{FOLLOW}"


def follow(
    printed=60 * MS, begins=20 * MS, until=1_300 * MS, call="io.BufferedReader.readline",
    stack=FOLLOW,
):  # fmt: skip
    """A child prints for the first time; its parent reads until the child ends."""
    family = Family("follow.py")
    main = family.first.thread("MainThread").native(0)
    child = family.fork(main, at=MS, pid=101, name="convert")
    thread = family.main(child).native(2 * MS)
    if printed is not None:
        args = {s.ARG_SITE: PRINT, s.ARG_STACK: PRINT}
        child.instant(thread.track, printed, s.PRINTED, s.CAT_THREAD, **args)
    thread.sleep(printed or 3 * MS, site=PRINT).native(until - MS).end(until)
    child.ended(until)
    main.io(begins, call, site=FOLLOW, stack=stack).native(until)
    family.ended(main, child, at=until + 2 * MS, status=0)
    main.end(until + 3 * MS)
    family.first.ended(until + 4 * MS)
    return family


def told(tmp_path, family):
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def test_output_that_stays_in_the_childs_buffer(tmp_path):
    (found,) = told(tmp_path, follow())
    assert found.finding == "wait in vain"
    assert found.severity_ns == 1_240 * MS
    assert found.text == (
        "Waited in vain: `MainThread` in `follow` (follow.py:21) waited 1.28 s in "
        "`io.BufferedReader.readline` (at 20.0 ms) for output of its child `convert`, which "
        "printed for the first time 1.24 s before the wait was over (at 60.0 ms) in `convert` "
        "(convert.py:6). Text for a pipe stays in the child's buffer until 8 KiB are there, "
        "it is flushed, or the child ends."
    )
    assert "python -u" in found.next_step
    assert found.evidence.site == FOLLOW


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"printed": None}, id="the child prints nothing into a pipe"),
        pytest.param({"printed": 1_290 * MS}, id="it prints once it has a result"),
        pytest.param({"printed": 30 * MS, "begins": 31 * MS}, id="a wait for the next line"),
        pytest.param({"until": 550 * MS}, id="not long"),
        pytest.param({"call": "io.BufferedReader.read"}, id="a read to the end"),
        pytest.param({"call": "os.read", "stack": RUN}, id="all of the output"),
    ],
)
def test_output_that_comes_when_it_is_there(tmp_path, story):
    assert "buffer" not in " ".join(one.text for one in told(tmp_path, follow(**story)))
