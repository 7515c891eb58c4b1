"""Answers that never come, to all at a line or to some of many equal tasks."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

SITE = "/app/rates.py:12 fetch_rate"


def asked(what="response (aiohttp)", ns=1_300 * MS, how=s.CANCELLED, later=False, timer=False):
    """A task awaits an answer until it is cancelled; another one may get its own."""
    trace = TraceBuilder(argv="rates.py", signals=SIGNALS)
    loop = trace.loop(trace.thread("MainThread"))
    task = loop.task("fetch_rate", site="/app/rates.py:10 fetch_rate").ready(0).running(1)
    task.awaits(2, what, site=SITE)
    boss = loop.task("main", site="/app/rates.py:20 main").ready(ns - 2).running(ns - 1)
    task.ready(ns, **({"waker": "timer"} if timer else {"by": boss}))
    boss.done(ns + 1)
    task.running(ns + 1).done(ns + 2, how)
    if later:
        other = loop.task("fetch_rate", site="/app/rates.py:10 fetch_rate").ready(3)
        other.running(4).awaits(5, what, site=SITE).ready(600 * MS).running(600 * MS + 1)
        other.done(600 * MS + 2)
    return trace.ended(ns + 3)


def test_an_answer_that_never_comes(tmp_path):
    (found,) = find_in(tmp_path, asked())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `fetch_rate` in `fetch_rate` (rates.py:12) awaited `response "
        "(aiohttp)`: 1 wait, 1.30 s (at 2 ns), and no answer "
        "came: each was given up or is not over. Give the call a time-out of its own that is "
        "shorter, and look at the other end."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"how": s.DONE}, id="it comes late"),
        pytest.param({"ns": 900 * MS}, id="it is given up soon"),
        pytest.param({"what": "socket"}, id="who waits for a client"),
        pytest.param({"what": "message (redis)"}, id="who waits for a message"),
        pytest.param({"what": "command (redis)"}, id="who may wait for a job (BLPOP)"),
        pytest.param({"later": True}, id="another one came"),
    ],
)
def test_waits_that_are_all_right(tmp_path, story):
    assert kinds(tmp_path, asked(**story)) == []


@pytest.mark.parametrize("what", ["command (redis)", "query (asyncpg)"])
def test_an_answer_that_did_not_come_in_time(tmp_path, what):
    (found,) = find_in(tmp_path, asked(what=what, timer=True))
    assert found.text.startswith("Waited in vain: `fetch_rate` in `fetch_rate` (rates.py:12)")


ORDER = "/app/orders.py:8 create_order"
STARLETTE = "/app/.venv/lib/python3.13/site-packages/starlette"
READ = f"{STARLETTE}/requests.py:243 Request.stream\n{STARLETTE}/requests.py:259 Request.body"
LISTENS = f"{STARLETTE}/responses.py:249 StreamingResponse.listen_for_disconnect"
LOST = "/lib/uvicorn/protocols/http/httptools_impl.py:126 HttpToolsProtocol.connection_lost"


def posted(what="body (uvicorn)", ns=600 * MS, stack=LOST, by=READ, quick=False, client=False):
    """A handler waits for the body of a request until its client leaves. `client`: that is a
    task of the same program, which gives up."""
    trace = TraceBuilder(argv="orders.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    if client:
        post = loop.task("post", site="/app/orders.py:20 post").ready(0).running(1)
        post.awaits(2, "response (httpcore)", site="/app/orders.py:21 post")
    task = loop.task("create_order", site="/app/orders.py:5 create_order").ready(3).running(4)
    task.awaits(5, what, site=ORDER, stack=f"{by}\n{ORDER}")
    if client:
        post.ready(ns, waker="timer", via="Timeout._on_timeout").running(ns + 1)
        post.done(ns + 2, s.CANCELLED)
    task.ready(ns + 5, waker="io", stack=stack).running(ns + 6).done(ns + 7)
    if quick:
        other = loop.task("create_order", site="/app/orders.py:5 create_order")
        other.ready(10).running(11).awaits(12, what, site=ORDER, stack=f"{by}\n{ORDER}")
        other.ready(300 * MS, waker="io").running(300 * MS + 1).done(300 * MS + 2)
    thread.end(ns + MS)
    return trace.ended(ns + 2 * MS)


def test_a_body_that_was_read_before(tmp_path):
    (found,) = find_in(tmp_path, posted())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: `create_order` in `create_order` (orders.py:8, via `Request.body`) "
        "awaited `body (uvicorn)` of a request: 1 wait, 600 ms (at 5 ns), and each ended as "
        "the client closed its connection. A body comes once: "
        "where a middleware has read it, it must hand it on. Else the client sent only a "
        "part: give the wait a time-out."
    )
    assert (found.severity_ns, found.evidence.site) == (600 * MS, ORDER)


def test_a_middleware_may_be_between(tmp_path):
    between = f"{STARLETTE}/middleware/base.py:120 call_next.<locals>.receive_or_disconnect"
    assert kinds(tmp_path, posted(by=f"{between}\n{READ}")) == ["wait in vain"]


def test_the_server_comes_before_its_client(tmp_path):
    told = [one.text for one in find_in(tmp_path, posted(ns=1_200 * MS, client=True))]
    assert ["create_order" in text for text in told] == [True, False]


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 480 * MS}, id="the client left soon"),
        pytest.param({"stack": "/app/x.py:1 feed_data"}, id="it came in the end"),
        pytest.param({"quick": True}, id="another one came"),
        pytest.param({"by": LISTENS}, id="an answer in parts: it listens for the end"),
        pytest.param({"by": "/app/orders.py:9 Order.body"}, id="functions of the program"),
        pytest.param({"what": "body (aiohttp)"}, id="a client reads until the end"),
        pytest.param({"what": "message (uvicorn)"}, id="a websocket whose client leaves"),
    ],
)
def test_bodies_that_are_all_right(tmp_path, story):
    assert kinds(tmp_path, posted(**story)) == []


WAIT = "/app/rpc.py:9 call"


def calls(lost=2, answered=4, ns=1_500 * MS, usual=20 * MS, what="future", twice=False, by=""):
    """Tasks that await a reply each: the last ones to the end, when they are cancelled."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), ns + 50 * MS
    gone = []
    for n in range(answered + lost):
        task = loop.task("call", site="/app/rpc.py:6 call").ready(n).running(n)
        at, is_lost = n + 1, n >= answered
        if twice:
            task.awaits(at, what, site=WAIT, stack=WAIT)
            at += usual
            task.ready(at, waker="io").running(at)
            at += 1
        task.awaits(at, what, site=WAIT, stack=WAIT)
        if is_lost:
            gone.append(task)
        else:
            task.ready(at + usual, waker="io").running(at + usual).done(at + usual + 1)
    main = loop.task("main", site="/app/rpc.py:20 main").ready(end).running(end)
    for task in gone:
        task.ready(end, waker=by) if by else task.ready(end, by=main)
    main.done(end + 1)
    for n, task in enumerate(gone):
        task.running(end + n + 2).done(end + n + 3, "cancelled")
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_two_replies_are_lost(tmp_path):
    (found,) = find_in(tmp_path, calls())
    assert found.finding == "wait in vain"
    assert found.text.startswith(
        "Waited in vain: 2 tasks `call` in `call` (rpc.py:9) got no answer in 2 of 6 waits in "
        "`future`. They waited 3.10 s in total"
    )
    assert "The others had theirs after 20.0 ms, typically." in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"lost": 1}, id="one"),
        pytest.param({"answered": 2}, id="few others"),
        pytest.param({"lost": 5}, id="most"),
        pytest.param({"ns": 900 * MS}, id="not for long"),
        pytest.param({"usual": 200 * MS}, id="answers take their time"),
        pytest.param({"what": "Queue.get"}, id="consumers are idle at the end"),
        pytest.param({"twice": True}, id="each waits there again and again"),
        pytest.param({"by": "timer"}, id="a time limit is over, as of a long poll"),
    ],
)
def test_no_lost_replies(tmp_path, story):
    assert kinds(tmp_path, calls(**story)) == []
