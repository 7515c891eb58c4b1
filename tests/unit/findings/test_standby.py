"""A lock that one task has for as long as it leads, while others stand by."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, kinds
from tracer import schema as s

SITE, BEATS = "/app/node.py:9 node", "/app/node.py:11 node"


def leads(beats=12, works_ns=MS, late_ns=0, goes_on=False, others="node"):
    """One sleeps again and again with the lock, for a second; two others wait for it, and
    then have it for `works_ns`. The last of them comes `late_ns` later."""
    trace = TraceBuilder(argv="node.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, lock = trace.loop(thread), trace.lock("asyncio.Lock", SITE)
    leader, *standby = (
        loop.task(name, site=f"/app/node.py:7 {name}") for name in ("node", others, others)
    )
    now, each = MS, 1_000 * MS // beats
    leader.ready(0).running(now)
    begun = now
    loop.step(leader, now, now + MS // 10)
    for n, other in enumerate(standby):
        at = now + MS + n * (MS + late_ns)
        other.ready(MS // 2).running(at).awaits(
            at + MS // 10, "Lock", lock=lock.id, site=SITE,
            owner_task=leader.id, owner_name=leader.name, owner_site=SITE,
        )  # fmt: skip
        loop.step(other, at, at + MS // 10)
    now += MS // 10
    for _ in range(beats):
        leader.awaits(now, "sleep", site=BEATS)
        leader.ready(now + each - MS // 10, waker="timer").running(now + each - MS // 10)
        loop.step(leader, now + each - MS // 10, now + each)
        now += each
    lock.hold(begun, now, leader, SITE)
    before = leader
    for other in standby:
        other.ready(now, by=before)
        if before is leader and goes_on:
            leader.awaits(now, "sleep", site="/app/node.py:20 node")
        else:
            before.done(now)
        other.running(now)
        begun, now = now, now + works_ns
        loop.step(other, begun, now)
        lock.hold(begun, now, other, SITE)
        before = other
    before.done(now)
    now += 200 * MS
    thread.end(now)
    return trace.ended(now + MS)


def test_others_stand_by(tmp_path):
    assert kinds(tmp_path, leads()) == []


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"beats": 5}, id="it waits a few times"),
        pytest.param({"works_ns": 60 * MS}, id="the others work, too"),
        pytest.param({"late_ns": 300 * MS}, id="one comes later"),
        pytest.param({"others": "save"}, id="the others run something else"),
        pytest.param({"goes_on": True}, id="it goes on without the lock"),
    ],
)
def test_others_are_held_up(tmp_path, story):
    assert "lock held across await" in kinds(tmp_path, leads(**story))


ASK = "/app/node.py:18 replica"


def asks(beats=12, timer=False, others="replica", line=19, late_ns=0):
    """Two tasks await an answer for 1.3 s until they are cancelled; another one has got it,
    and does something again and again behind that line."""
    trace = TraceBuilder(argv="node.py", signals=SIGNALS)
    thread = trace.thread("MainThread").running(0)
    loop, end = trace.loop(thread), 1_400 * MS
    leader, *standby = (
        loop.task(name, site=f"/app/node.py:7 {name}") for name in ("replica", others, others)
    )
    leader.ready(0).running(late_ns).awaits(
        late_ns + 10, "query (asyncpg)", site=ASK, stack=ASK
    )
    leader.ready(late_ns + MS, waker="io").running(late_ns + MS + 10)
    for n, task in enumerate(standby):
        task.ready(2 * MS).running(3 * MS + n)
        task.awaits(3 * MS + n + 1, "query (asyncpg)", site=ASK, stack=ASK)
    each = (end - late_ns - 10 * MS) // beats
    for n in range(beats):
        at = late_ns + 10 * MS + n * each
        stack = f"/app/node.py:10 beat\n/app/node.py:{line} replica"
        leader.awaits(at, "sleep", site="/app/node.py:10 beat", stack=stack)
        leader.ready(at + each - MS, waker="timer").running(at + each - MS + 1)
    leader.done(end + MS)
    boss = loop.task("main", site="/app/node.py:40 main").ready(end - 2).running(end - 1)
    for n, task in enumerate(standby):
        task.ready(end + n, **({"waker": "timer"} if timer else {"by": boss}))
        task.running(end + MS + n * 10)
        task.done(end + 2 * MS + n, s.CANCELLED)
    boss.done(end + 450 * MS)
    thread.end(end + 500 * MS)
    return trace.ended(end + 501 * MS)


def test_others_stand_by_for_an_answer(tmp_path):
    assert kinds(tmp_path, asks()) == []


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"beats": 5}, id="it waits a few times"),
        pytest.param({"others": "save"}, id="the others run something else"),
        pytest.param({"line": 12}, id="it is not behind that line"),
        pytest.param({"late_ns": 300 * MS}, id="it comes later"),
        pytest.param({"timer": True}, id="a time limit ended the waits"),
    ],
)
def test_an_answer_that_others_should_have_got(tmp_path, story):
    assert "wait in vain" in kinds(tmp_path, asks(**story))
