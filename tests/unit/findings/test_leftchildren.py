"""Children that nobody waits for."""

import pytest

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

START = "/app/notify.py:12 notify"


def notifies(count=16, every=40 * MS, reaped=0, site=START, signal=0, rest=0):
    """`MainThread` starts a child now and then; the first `reaped` are waited for, `rest`
    after the last was started, and ended by `signal`."""
    trace = TraceBuilder(argv="notify.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    for n in range(count):
        main.spawn((10 + n) * MS + n * every, 200 + n, "mail", site)
    end = (20 + count) * MS + count * every + rest
    for n in range(reaped):
        how = {s.ARG_SIGNAL: signal} if signal else {s.ARG_STATUS: 0}
        args = {s.ARG_CHILD: 200 + n, **how}
        trace.instant(main.track, end - MS, s.CHILD_ENDED, s.CAT_THREAD, **args)
    main.end(end)
    return trace.ended(end + MS)


def test_children_are_left(tmp_path):
    (found,) = find_in(tmp_path, notifies())
    assert found.finding == "workers never exit"
    assert found.text.startswith(
        "Processes pile up: 16 children were started in `notify` (notify.py:12), from "
        "10.0 ms on, and in 667 ms nobody waited for one"
    )
    assert found.evidence.site == START


def test_children_are_killed_together(tmp_path):
    """They were started all the time, and none had ended when the last one was."""
    (found,) = find_in(tmp_path, notifies(reaped=16, signal=9))
    assert found.text.startswith(
        "Processes pile up: 16 children were started in `notify` (notify.py:12), from 10.0 ms "
        "on, and in 665 ms nobody waited for one: all ran on until they were killed together."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"reaped": 16, "signal": 9, "rest": 400 * MS}, id="workers of a service"),
        pytest.param({"reaped": 16}, id="all end by themselves"),
        pytest.param({"reaped": 15, "signal": 9}, id="not all are killed"),
        pytest.param({"count": 15}, id="a few"),
        pytest.param({"every": MS}, id="all at once"),
        pytest.param({"reaped": 1}, id="somebody waits for children"),
        pytest.param({"site": "/lib/python3.13/popen.py:1 start"}, id="a library's"),
    ],
)
def test_children_that_are_no_fault(tmp_path, story):
    assert "workers never exit" not in kinds(tmp_path, notifies(**story))


def restarted(count=12, lives=100 * MS, pause=MS, site=START, failed=-1, **how: int):
    """A process is started when the one before has ended; the first `failed` ones fail."""
    family = Family("supervisor.py")
    main, at = family.first.thread("MainThread").native(0), MS
    for n in range(count):
        child = family.fork(main, at=at, pid=201 + n, name=f"job-{n}", site=site)
        family.main(child).native(at).end(at + lives)
        child.ended(at + lives)
        is_failed = n < failed or failed < 0
        said = (how or {"status": 1}) if is_failed else {"status": 0}
        family.ended(main, child, at + lives + MS // 2, **said)
        at += lives + pause
    main.native(at).end(at)
    family.first.ended(at + MS)
    return family


def again(tmp_path, family):
    found = find(Facts(build_model(read_trace(family.write(tmp_path)))))
    return [one for one in found if "starts children again" in one.text]


def test_children_that_fail_and_are_started_anew(tmp_path):
    (found,) = again(tmp_path, restarted())
    assert (found.finding, found.severity_ns) == ("busy loop", 1_211 * MS)
    assert found.text == (
        "`MainThread` starts children again and again in `notify` (notify.py:12): 12 in "
        "1.21 s (at 1.00 ms). Each failed (exit code 1) after 100 ms, and the next one was "
        "started at once. Look at why they fail, and pause before the next start, longer each "
        "time."
    )
    (found,) = again(tmp_path, restarted(signal=11))
    assert "Each was killed by SIGSEGV after 100 ms" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"count": 9, "lives": 200 * MS}, id="a few"),
        pytest.param({"lives": 80 * MS}, id="little time"),
        pytest.param({"lives": 110 * MS}, id="they have worked before"),
        pytest.param({"failed": 10}, id="some do their work"),
        pytest.param({"pause": 100 * MS}, id="with pauses"),
        pytest.param({"signal": 15}, id="ended by a runner of tests"),
        pytest.param({"signal": 9}, id="killed by somebody"),
        pytest.param({"site": "/lib/python3.13/popen.py:1 start"}, id="a library's"),
    ],
)
def test_children_that_are_started_in_order(tmp_path, story):
    assert again(tmp_path, restarted(**story)) == []


def forks(lives, count=20, every=40 * MS):
    """`MainThread` forks a child now and then, each of which is recorded and lives so long."""
    family = Family("notify.py", signals=SIGNALS)
    main = family.first.thread("MainThread").native(0)
    end = (count + 2) * every
    for n in range(count):
        at = MS + n * every
        child = family.fork(main, at=at, pid=200 + n, name="mail", site=START)
        child.ended(min(at + lives, end))
    main.end(end)
    family.first.ended(end + MS)
    return family


def test_children_that_soon_end_may_be_the_kernels(tmp_path):
    """SIGCHLD may be ignored, which the trace does not say: then nobody has to wait."""
    said = [kinds(tmp_path, forks(lives)) for lives in (20 * MS, 10_000 * MS)]
    assert ["workers never exit" in found for found in said] == [False, True]
