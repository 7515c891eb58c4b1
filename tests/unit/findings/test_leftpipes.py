"""Waits for a child's output which go on when the child has ended."""

import pytest

from tests.support.builder.encoding import Arg
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

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
