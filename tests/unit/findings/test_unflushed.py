"""Waits for what a child has printed into a buffer of its own."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from tracer import schema as s
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

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
