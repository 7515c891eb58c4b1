"""Where no known fault explains the time that was lost: who waited, for what, behind whom."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s
from viewer.analysis import findings
from viewer.analysis.findings import Finder
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.vain.general import unexplained
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

ASK, SEND, TAKE = "/app/mail.py:9 ask", "/app/mail.py:14 send", "/app/mail.py:20 serve"


def said(tmp_path, trace: TraceBuilder, known: tuple[Finding, ...] = ()) -> list[Finding]:
    """What the general finding says where these are known."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(trace.data())
    return list(unexplained(Facts(build_model(read_trace(path))), known))


def answered(
    callers=6, takes_ns=200 * MS, gap_ns=100 * MS, doing="io", what="Queue.get", site=ASK,
    own=True, lives_ns=0, takes=True,
):  # fmt: skip
    """Threads ask `sender` one after the other, which answers one after the other."""
    trace = TraceBuilder(argv="mail.py", signals=SIGNALS)
    inbox = trace.lock("Queue.get", TAKE)
    sender = trace.thread("sender").native(0)
    if takes:
        sender.lock_wait(MS // 2, "Queue.get", lock=inbox, site=TAKE)
    one, asked = trace.lock(what, site), []
    for n in range(callers):
        lock = trace.lock(what, site) if own else one
        caller = trace.thread(f"req-{n}").native(MS + n * gap_ns)
        caller.lock_wait(2 * MS + n * gap_ns, what, lock=lock, site=site)
        asked.append((caller, lock))
    at = 3 * MS
    for caller, lock in asked:
        if doing == "io":
            sender.io(at, "smtp.send", site=SEND)
        elif doing == "sleep":
            sender.sleep(at, SEND)
        else:
            sender.lock_wait(at, "Queue.get", lock=inbox, site=TAKE)
        at += takes_ns
        sender.native(at).release(at + 1, lock, to=caller)
        caller.native(at + 10).end(at + 20 + lives_ns)
    sender.end(at + MS)
    return trace.ended(at + 2 * MS + lives_ns)


def test_others_are_served_first(tmp_path):
    (found,) = said(tmp_path, answered())
    assert found.finding == "long waits"
    assert found.text == (
        "Long waits: 5 threads `req-N` in `ask` (mail.py:9) waited 2.51 s in total in "
        "`Queue.get` (5 waits, the longest 701 ms, at 502 ms), and for 1.51 s of that "
        "something else came first: `sender`, which ended them, served others or went on with "
        "what it had begun before, 99 % of that time in `smtp.send` in `send` (mail.py:14)."
    )
    assert found.severity_ns == 1_505 * MS + 50
    assert (found.evidence.site, found.behind) == (ASK, SEND)
    assert found.next_step.startswith("Look at what came first")


def test_who_takes_requests_and_sleeps_is_no_clock(tmp_path):
    (found,) = said(tmp_path, answered(doing="sleep"))
    assert "`sender`, which ended them" in found.text
    assert "asleep in `send` (mail.py:14)" in found.text


def test_the_same_lock_goes_to_others_first(tmp_path):
    (found,) = said(tmp_path, answered(what="Lock", own=False))
    assert found.text.endswith(
        "and for 1.51 s of that others got it first; `sender`, which ended them, spent 99 % "
        "of that time in `smtp.send` in `send` (mail.py:14)."
    )
    assert found.severity_ns == 1_505 * MS + 50


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"takes_ns": 150 * MS}, id="less than a second is lost"),
        pytest.param({"lives_ns": 4_000 * MS}, id="a small part of their lives"),
        pytest.param({"gap_ns": 0}, id="all ask at once: a batch"),
        pytest.param(
            {"callers": 29, "takes_ns": 12 * MS, "gap_ns": 4 * MS}, id="no wait is long"
        ),
        pytest.param(
            {"callers": 2, "takes_ns": 1_200 * MS, "what": "Event.wait"}, id="one gate opens"
        ),
        pytest.param({"doing": "idle"}, id="who answers waits for answers itself"),
        pytest.param({"doing": "sleep", "takes": False}, id="a clock ends what is due"),
        pytest.param({"own": False}, id="workers at one queue"),
        pytest.param({"site": "/usr/lib/python3.13/queue.py:9 get"}, id="a library waits"),
        pytest.param({"what": "Thread.join"}, id="for an end"),
    ],
)
def test_nothing_came_first(tmp_path, story):
    assert said(tmp_path, answered(**story)) == []


def in_vain(count=3, ns=400 * MS, what="Semaphore", ends="acquired", owner=False):
    """Threads wait for a permit and give up, or still wait at the end."""
    trace = TraceBuilder(argv="mail.py", signals=SIGNALS)
    lock = trace.lock(what, ASK)
    holder = trace.thread("holder").sleep(0, SEND)
    if owner:
        lock.hold(0, 10 + ns, holder, site=TAKE)
    for n in range(count):
        caller = trace.thread(f"req-{n}").native(n)
        got = ends == "acquired"
        caller.lock_wait(10 + n, what, lock=lock, site=ASK, acquired=got)
        if ends != "open":
            caller.native(10 + n + ns).end(20 + n + ns)
    holder.native(10 + ns).end(30 + ns + count)
    return trace.ended(40 + ns + count)


def test_all_gave_up(tmp_path):
    (found,) = said(tmp_path, in_vain(ends="given up"))
    assert found.text == (
        "Long waits: 3 threads `req-N` in `ask` (mail.py:9) waited in vain in `Semaphore`: "
        "3 waits without a result, 1.20 s in total, the longest 400 ms (at 10 ns). The trace "
        "does not show who could have ended them."
    )
    assert found.severity_ns == 1_200 * MS


def looks_again(pause_ns, count=6, ns=250 * MS):
    """A thread asks for a result with a time-out until it has it."""
    trace = TraceBuilder(argv="mail.py", signals=SIGNALS)
    job = trace.lock("Future.result", ASK)
    worker, page, at = trace.thread("worker").sleep(0, SEND), trace.thread("page"), MS
    page.native(0)
    for _ in range(count):
        page.lock_wait(at, "Future.result", lock=job, site=ASK, acquired=False)
        page.native(at + ns)
        at += ns + pause_ns
    worker.native(at).end(at + MS)
    page.end(at + MS)
    return trace.ended(at + 2 * MS)


@pytest.mark.parametrize(("pause_ns", "times"), [(10 * MS, 0), (100 * MS, 6)])
def test_progress_while_a_job_runs(tmp_path, pause_ns, times):
    """Whoever asks again at once shows how far it is, or looks whether he is to stop."""
    found = said(tmp_path, looks_again(pause_ns))
    assert len(found) == bool(times)
    assert all(f"{times} waits without a result" in one.text for one in found)


def test_whoever_ends_such_waits_waits_itself(tmp_path):
    """Its own request can only be answered by itself."""
    trace = TraceBuilder(argv="mail.py", signals=SIGNALS)
    reader = trace.thread("reader").native(0)
    first, own = trace.lock("Future.result", ASK), trace.lock("Future.result", ASK)
    page = trace.thread("page").lock_wait(MS, "Future.result", lock=first, site=ASK)
    reader.native(30 * MS).release(30 * MS + 1, first, to=page)
    page.native(31 * MS).end(32 * MS)
    reader.lock_wait(40 * MS, "Future.result", lock=own, site=ASK, acquired=False)
    reader.native(1_240 * MS).end(1_241 * MS)
    (found,) = said(tmp_path, trace.ended(1_242 * MS))
    assert found.text == (
        "Long waits: `reader` in `ask` (mail.py:9) waited in vain in `Future.result`: 1 wait "
        "without a result, 1.20 s (at 40.0 ms), while other "
        "waits there were ended by `reader`, which waits here itself."
    )


def test_they_are_not_over(tmp_path):
    (found,) = said(tmp_path, in_vain(ends="open", what="Lock", owner=True))
    assert found.text.startswith(
        "Long waits: 3 threads `req-N` in `ask` (mail.py:9) waited in vain in `Lock`: 3 waits "
        "without a result, 3 of them not over at the end of the trace, 1.20 s in total"
    )
    assert "for the lock that `holder` holds" in found.text
    assert "asleep in `send` (mail.py:14)" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({}, id="they got it"),
        pytest.param({"ends": "given up", "ns": 333 * MS}, id="less than a second is lost"),
        pytest.param({"ends": "given up", "count": 9, "ns": 199 * MS}, id="short attempts"),
        pytest.param({"ends": "given up", "what": "Event.wait"}, id="they pause"),
        pytest.param({"ends": "open", "what": "Queue.get"}, id="workers without work"),
        pytest.param({"ends": "open", "what": "executor idle"}, id="workers without a job"),
    ],
)
def test_not_in_vain(tmp_path, story):
    assert said(tmp_path, in_vain(**story)) == []


@pytest.mark.parametrize("how", [s.CANCELLED, "failed: TimeoutError"])
def test_a_task_that_is_stopped_waited_for_its_job(tmp_path, how):
    trace = TraceBuilder(argv="mail.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    task = trace.loop(thread).task("read", site="/app/mail.py:30 read").ready(0).running(1)
    lock = trace.lock("executor", ASK)
    task.awaits(2, "executor", acquired=False, lock=lock.id, site=ASK)
    task.ready(1_100 * MS).running(1_101 * MS).done(1_102 * MS, how)
    thread.end(1_103 * MS)
    found = said(tmp_path, trace.ended(1_104 * MS))
    assert bool(found) is (how != s.CANCELLED)


def test_a_known_fault_explains_it(tmp_path):
    (found,) = said(tmp_path, answered())
    elsewhere = found.evidence._replace(site="/app/other.py:1 f")
    other = found._replace(
        evidence=elsewhere, behind="", severity_ns=found.severity_ns // 4 + 1
    )
    assert said(tmp_path, answered(), (other,)) == []
    small = other._replace(severity_ns=found.severity_ns // 5)
    assert said(tmp_path, answered(), (small,)) == [found]
    at_its_line = small._replace(behind=SEND)
    assert said(tmp_path, answered(), (at_its_line,)) == []


def test_it_comes_after_all_others(tmp_path, monkeypatch):
    (found,) = said(tmp_path, answered())
    evidence = found.evidence._replace(site="/app/web.py:3 hog")
    small = Finding("loop blocked", MS, "A step is long.", evidence)
    monkeypatch.setattr(Finder, "load", lambda _: lambda _: iter([small]))
    monkeypatch.setattr(findings, "FINDERS", findings.FINDERS[:1])
    monkeypatch.setattr(findings, "fitting", lambda _: findings.FINDERS)
    told = find_in(tmp_path, answered())
    assert [one.finding for one in told] == ["loop blocked", "long waits"]
