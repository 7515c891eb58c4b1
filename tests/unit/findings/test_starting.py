"""Modules whose own code takes long when a program imports them."""

import pytest

from tests.support.builder.encoding import Arg
from tests.support.builder.family import Family
from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

IMPORTLIB = "<frozen importlib._bootstrap>:488 _call_with_frames_removed"
BODY = "/app/geo.py:3 <module>"
STACK = [BODY, IMPORTLIB, "/app/tool.py:9 <module>"]


def sleeper(ns=600 * MS, rest_ns=400 * MS, stack=STACK):
    trace = TraceBuilder(argv="tool.py", signals=SIGNALS)
    thread = trace.thread("MainThread", tid=trace.pid)
    thread.running(0)
    args = {s.ARG_SITE: stack[0], s.ARG_STACK: "\n".join(stack)}
    thread.enter(10 * MS, s.SLEEP, s.CAT_SLEEP, args).running(10 * MS + ns)
    thread.end(10 * MS + ns + rest_ns)
    return trace.ended(20 * MS + ns + rest_ns)


def test_a_module_that_sleeps(tmp_path):
    (found,) = find_in(tmp_path, sleeper())
    assert found.finding == "slow start"
    assert found.text == (
        "Slow start: `MainThread` spends 600 ms in the code of the module `geo`, which "
        "tool.py:9 imports (at 10.0 ms): 100 % of that asleep in `<module>` (geo.py:3)."
    )
    assert found.severity_ns == 600 * MS
    assert found.next_step.startswith("Do that when it is first needed")
    assert found.evidence.site == BODY


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="not long"),
        pytest.param({"rest_ns": 2_000 * MS}, id="the program lives much longer"),
        pytest.param({"stack": [BODY, "/app/tool.py:9 <module>"]}, id="no import"),
        pytest.param(
            {"stack": ["/app/hook.py:3 exec_module", *STACK[1:]]}, id="a hook of imports"
        ),
        pytest.param({"stack": STACK[1:]}, id="the machinery itself"),
    ],
)
def test_what_is_no_slow_start(tmp_path, story):
    assert kinds(tmp_path, sleeper(**story)) == []


def computes(times):
    trace = TraceBuilder(argv="tool.py", signals=SIGNALS)
    thread = trace.thread("MainThread", tid=trace.pid)
    thread.running(0).end(1_000 * MS)
    samples = SampleBuilder(trace)
    for n in range(times):
        samples.add(
            thread,
            n * 10 * MS,
            ("<module>", "/app/tool.py", 9),
            ("_call_with_frames_removed", "<frozen importlib._bootstrap>", 488),
            ("<module>", "/app/sdk/__init__.py", 2 + n % 2),
            ("build", "/app/sdk/__init__.py", 7),
        )
    return trace.ended(1_001 * MS)


def test_a_module_that_computes(tmp_path):
    (found,) = find_in(tmp_path, computes(60))
    assert found.text == (
        "Slow start: `MainThread` spends 600 ms in the code of the module `sdk`, which "
        "tool.py:9 imports (at 0): 100 % of that computing in `build` (__init__.py:7)."
    )
    assert kinds(tmp_path, computes(40)) == []


def work_horses(count=6, ns=100 * MS, rest_ns=20 * MS, at_once=False):
    """Each job has a child of its own, which imports what the job needs."""
    family = Family("worker.py")
    main = family.first.thread("MainThread").native(0)
    args: dict[str, Arg] = {s.ARG_SITE: BODY, s.ARG_STACK: "\n".join(STACK)}
    over = 0
    for n in range(count):
        start = MS if at_once else MS + n * (ns + rest_ns + 2 * MS)
        child = family.fork(main, at=start, pid=101 + n, name=f"job-{n}")
        thread = family.main(child).running(start)
        thread.enter(start + MS, s.SLEEP, s.CAT_SLEEP, args).running(start + MS + ns)
        over = start + MS + ns + rest_ns
        thread.end(over)
        child.ended(over)
    main.native(over).end(over + MS)
    family.first.ended(over + 2 * MS)
    return family


def each_child(tmp_path, family):
    found = find(Facts(build_model(read_trace(family.write(tmp_path)))))
    return [one for one in found if "Slow start: each" in one.text]


def test_each_child_imports_the_same(tmp_path):
    (found,) = each_child(tmp_path, work_horses())
    assert (found.finding, found.severity_ns) == ("slow start", 600 * MS)
    assert found.text == (
        "In `worker.py`: Slow start: each of 6 children that `start` (service.py:9) starts "
        "spends 100 ms in the code of the module `geo`, which tool.py:9 imports, 600 ms in "
        "all: 100 % of the longest asleep in `<module>` (geo.py:3) (at 2.00 ms)."
    )
    assert found.next_step.startswith("Import it in the parent")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 80 * MS}, id="not long"),
        pytest.param({"count": 4, "ns": 200 * MS}, id="few"),
        pytest.param({"rest_ns": 150 * MS}, id="they have more to do"),
        pytest.param({"at_once": True}, id="workers that are begun together"),
    ],
)
def test_children_whose_imports_cost_little(tmp_path, story):
    assert each_child(tmp_path, work_horses(**story)) == []
