"""Workers of a server that end in the middle of a request, and have a successor at once."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

REPORT, BOOT = "/app/web.py:9 report", "/app/web.py:30 <module>"
ANSWER = "/venv/lib/python3.13/site-packages/gunicorn/http/wsgi.py:9 Response.write"
ERROR = "/venv/lib/python3.13/site-packages/gunicorn/util.py:348 write_error"
SYNC = "/venv/lib/python3.13/site-packages/gunicorn/workers/sync.py:120 SyncWorker.run"


def service(
    ns=1_200 * MS,
    *,
    workers=2,
    serves=SYNC,
    again_ns=500 * MS,
    done=0,
    line=REPORT,
    how=None,
    answers="",
):
    """Workers whose last request took `ns` until they ended; each has a successor after
    `again_ns`. `done`: so many waited for clients once more before they ended."""
    family = Family("/app/web.py")
    master = family.first.thread("MainThread", 100).native(0)
    end = 10 * MS + ns
    for n in range(workers):
        child = family.fork(master, MS, 101 + n, name=f"worker-{n}", site=BOOT)
        thread = family.main(child)
        thread.native(2 * MS).io(3 * MS, "select.select", site=serves, stack=serves)
        thread.native(10 * MS)
        thread.io(10 * MS + 1000, "socket.recv", site=line, stack=f"{line}\n{serves}")
        thread.native(end - MS)
        if answers:
            thread.io(end - MS + 1, "socket.sendall", site=line, stack=answers)
            thread.native(end - MS // 2)
        if n < done:
            thread.io(end, "select.select", site=serves, stack=serves).native(end + 20 * MS)
        thread.end(end + 21 * MS if n < done else end)
        child.ended(end + (22 if n < done else 1) * MS)
    for n in range(workers):
        at = end + (30 + n) * MS
        family.ended(
            master,
            family.processes[1 + n],
            at,
            **({"status": 0} if how is None else {"signal": how}),
        )
        child = family.fork(master, at + again_ns, 201 + n, name=f"again-{n}", site=BOOT)
        family.main(child).native(at + again_ns + MS).end(at + again_ns + 2 * MS)
        child.ended(at + again_ns + 3 * MS)
    last = end + 40 * MS + again_ns + 10 * MS
    master.end(last)
    family.first.ended(last + MS)
    return family


def told(tmp_path, family: Family):
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def test_workers_that_took_too_long(tmp_path):
    (found,) = told(tmp_path, service())
    assert found.finding == "wait in vain"
    assert found.severity_ns == 2 * 1_201 * MS
    assert found.text == (
        "Waited in vain: 2 workers of the server ended in the middle of a request, after up "
        "to 1.20 s of it (at 10.0 ms): 99 % of that time in `socket.recv` in `report` "
        "(web.py:9). Others took their place at once, as after a time-out of the master "
        "(gunicorn's `timeout`); the requests were lost. Give what `report` waits for a "
        "shorter time-out, do it elsewhere, or raise that of the master."
    )
    assert found.evidence.site == found.behind == REPORT


def test_workers_that_answer_with_an_error(tmp_path):
    assert len(told(tmp_path, service(answers=ERROR))) == 1


@pytest.mark.parametrize(
    ("how", "said"), [(6, " by SIGABRT"), (40, " by signal 40"), (None, "")]
)
def test_one_worker_that_took_too_long(tmp_path, how, said):
    (found,) = told(tmp_path, service(workers=1, how=how))
    assert f"`worker-0` ended in the middle of a request{said}, after" in found.text
    assert "Another worker took its place at once" in found.text
    assert "the request was lost" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 700 * MS}, id="sooner than any time-out"),
        pytest.param({"done": 2}, id="the request was done"),
        pytest.param({"done": 1}, id="others were replaced when they were idle"),
        pytest.param({"again_ns": 2_000 * MS}, id="no successor"),
        pytest.param({"serves": "/app/pool.py:3 loop"}, id="no server"),
        pytest.param({"line": SYNC}, id="no line of the program"),
        pytest.param({"answers": ANSWER}, id="it had answered"),
    ],
)
def test_workers_that_may_end(tmp_path, story):
    assert told(tmp_path, service(**story)) == ()
