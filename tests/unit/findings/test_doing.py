"""What threads did meanwhile, in words: one place is told once."""

from collections import Counter

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS
from tests.support.models import model_of
from viewer.analysis.findings.basis.doing import doing, join_computing
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.resources.reading import awaits_of


@pytest.mark.parametrize(("function", "is_same"), [("work", True), ("more", False)])
def test_computing_in_one_function_is_told_once(tmp_path, function, is_same):
    """Some of its time has a line, the rest only CPU samples."""
    trace = TraceBuilder(argv="keep.py", signals=SIGNALS)
    main = trace.thread("MainThread").running(0).end(300 * MS)
    SampleBuilder(trace).add(main, 10 * MS, (function, "/app/keep.py", 7), times=12)
    facts = Facts(model_of(tmp_path, trace.ended(310 * MS)))
    stacks = facts.stacks(facts.model.threads[0].tid, [(0, facts.model.end_ns)])
    known, unknown = ("computing", "/app/keep.py:9 work"), ("computing", "")
    sums = Counter({known: 20 * MS, unknown: 10 * MS, ("asleep", ""): MS})
    join_computing(facts, sums, list(stacks))
    apart = {known: 20 * MS, unknown: 10 * MS, ("asleep", ""): MS}
    assert sums == ({known: 30 * MS, ("asleep", ""): MS} if is_same else apart)


RECEIVE = "/venv/lib/python3.13/site-packages/uvicorn/protocols/http/h11_impl.py:536 receive"
OWN = "/app/chat.py:40 upload"


@pytest.mark.parametrize(
    ("site", "is_cut", "says"),
    [
        pytest.param(RECEIVE, True, "asleep in `tokens` (chat.py:30)", id="a framework's"),
        pytest.param(RECEIVE, False, "awaiting `body (uvicorn)`", id="its client goes on"),
        pytest.param(OWN, True, "awaiting `body (uvicorn)` in `upload`", id="the user's"),
    ],
)
def test_who_listens_until_the_program_is_done(tmp_path, site, is_cut, says):
    """A framework awaits its client and the user's task, whichever ends first."""
    trace = TraceBuilder(argv="chat.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, end = trace.loop(thread), 800 * MS
    chat = loop.task("chat", site="/app/chat.py:35 chat").ready(0).running(1)
    stream = loop.task("stream", site="/app/chat.py:28 stream", parent=chat.id).ready(2)
    chat.awaits(MS, "body (uvicorn)", site=site, stack=site)
    loop.step(chat, 1, MS)
    stream.running(MS).awaits(2 * MS, "sleep", site="/app/chat.py:30 tokens")
    loop.step(stream, MS, 2 * MS)
    thread.io(2 * MS, "select.epoll.poll").running(end)
    stream.ready(end, waker="timer").running(end)
    if is_cut:
        chat.ready(end + MS, by=stream)
    else:
        chat.ready(end + MS, waker="io")
    stream.done(end + MS)
    loop.step(stream, end, end + MS)
    chat.running(end + 2 * MS).done(end + 3 * MS)
    loop.step(chat, end + 2 * MS, end + 3 * MS)
    thread.end(end + 4 * MS)
    facts = Facts(model_of(tmp_path, trace.ended(end + 5 * MS)))
    slices = facts.model.trace.slices
    (i,) = awaits_of(facts, "await body")
    did = [(("task", facts.model.owners.owner[i]), slices.start_ns[i], slices.end_ns[i])]
    assert says in doing(facts, did)
