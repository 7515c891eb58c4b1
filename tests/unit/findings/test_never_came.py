"""Many tasks that wait for what never comes: one event, or a future each."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s


def followers(
    count=5,
    ends=True,
    shared=True,
    fails=0,
    how="failed: RuntimeError",
    what="Event",
    via="Timeout._on_timeout",
    line=0,
    stays=False,
    wait_ns=500 * MS,
):
    """Tasks wait for one event, which nobody sets, and give up. `fails`: when a task ends,
    and `how`; it slept at a line of the function in which they wait. `stays`: and goes on."""
    trace = TraceBuilder(argv="cache.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop = trace.loop(thread)
    loading, last = trace.lock(what, "/app/cache.py:15 get"), 0
    if fails:
        worker = loop.task("worker", site="/app/cache.py:40 worker").ready(0).running(0)
        if line:
            stack = f"/app/cache.py:8 load\n/app/cache.py:{line} get"
            worker.awaits(1, "sleep", site="/app/cache.py:8 load", stack=stack)
            worker.ready(fails - 2, waker="timer", via="Timeout._on_timeout")
            worker.running(fails - 1)
        if stays:
            worker.awaits(fails, "sleep").ready(400 * MS, waker="timer").running(400 * MS)
        worker.done(400 * MS if stays else fails, how)
    for n in range(count):
        task, end = loop.task("request", site="/app/cache.py:30 request"), wait_ns + n * MS
        own = loading if shared else trace.lock(what, "/app/cache.py:15 get")
        task.ready(n).running(n)
        gives_up = via.startswith("Timeout")
        task.awaits(MS, what, acquired=not gives_up, lock=own.id, site="/app/cache.py:15 get")
        task.ready(end, waker="timer", via=via).running(end)
        if not ends:
            task.awaits(end + 1, "sleep").ready(end + 200 * MS).running(end + 200 * MS)
            end += 200 * MS
        task.done(end + MS)
        last = end + MS
    thread.end(last + MS)
    return trace.ended(last + 2 * MS)


def test_many_wait_for_what_never_came(tmp_path):
    (found,) = find_in(tmp_path, followers())
    assert found.finding == "wait in vain"
    assert found.text.startswith(
        "Waited in vain: 5 tasks `request` in `get` (cache.py:15) gave up 5 waits in `Event`"
    )


@pytest.mark.parametrize("what", ["Event", "AsyncResult"])
def test_a_worker_failed_before_it_answered(tmp_path, what):
    (found,) = find_in(tmp_path, followers(shared=False, fails=50 * MS, what=what))
    assert found.finding == "wait in vain"
    assert found.text == (
        f"Waited in vain: 5 tasks `request` in `get` (cache.py:15) gave up 5 waits in "
        f"`{what}`, 2.51 s in total, the longest 503 ms (at 1.00 ms); nothing ended any of "
        f"them; `worker` failed meanwhile (RuntimeError). Look at what should have ended "
        f"it, and whether it was ever started."
    )


OWNER = {"shared": False, "fails": 50 * MS, "how": s.CANCELLED, "line": 19}


@pytest.mark.parametrize("count", [1, 5])
def test_who_was_further_on_is_cancelled(tmp_path, count):
    (found,) = find_in(tmp_path, followers(**OWNER, count=count, wait_ns=1_100 * MS))
    assert (
        "; `worker`, further on there in `load` (cache.py:8), was cut short."
    ) in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({**OWNER, "line": 12}, id="it was before that line"),
        pytest.param({**OWNER, "stays": True}, id="it went on"),
        pytest.param({**OWNER, "fails": 499 * MS}, id="as they gave up"),
        pytest.param({"ends": False}, id="a time-out paces them"),
        pytest.param({"via": "Event.set"}, id="a timer sets the event"),
        pytest.param({"via": "Service.stop"}, id="what a timer calls sets the event"),
        pytest.param({"shared": False}, id="each for its own"),
        pytest.param({"shared": False, "fails": 50 * MS, "how": s.DONE}, id="a task is done"),
        pytest.param({"shared": False, "fails": MS // 2}, id="it failed before"),
        pytest.param({"shared": False, "fails": 495 * MS}, id="it failed as they gave up"),
        pytest.param(
            {"shared": False, "fails": 50 * MS, "ends": False}, id="they go on after it"
        ),
        pytest.param({"count": 2}, id="half a second each"),
    ],
)
def test_many_that_are_paced(tmp_path, story):
    assert kinds(tmp_path, followers(**story)) == []


def answers(
    late=3, quick_ns=100 * MS, ends=True, via="Timeout._on_timeout", what="future", stack=""
):
    """Calls wait for a future of their own; some of them are never set."""
    trace = TraceBuilder(argv="rpc.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, last = trace.loop(thread), 0
    reader = loop.task("dispatch", site="/app/rpc.py:30 dispatch")
    reader.ready(0).running(0)
    for n in range(late + 3):
        task = loop.task("call", site="/app/rpc.py:10 call")
        task.ready(n).running(n).awaits(MS, what, site="/app/rpc.py:14 call")
        end = quick_ns + n * MS if n >= late else 900 * MS + n * MS
        task.ready(
            end,
            **(
                {"by": reader} if n >= late else {"waker": "timer", "via": via, "stack": stack}
            ),
        )
        task.running(end)
        if not ends:
            task.awaits(end + 1, "sleep").ready(end + 200 * MS).running(end + 200 * MS)
            end += 200 * MS
        task.done(end + MS)
        last = max(last, end + MS)
    reader.done(last)
    thread.end(last + MS)
    return trace.ended(last + 2 * MS)


def test_some_answers_never_came(tmp_path):
    (found,) = find_in(tmp_path, answers())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 3 tasks `call` in `call` (rpc.py:14) gave up 3 waits in `future`, "
        "2.70 s in total, the longest 901 ms (at 1.00 ms); nothing ended any of them. Look at "
        "what should have ended it, and whether it was ever started."
    )


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        ("/tornado/queues.py:62 _set_timeout.<locals>.on_timeout", ["wait in vain"]),
        ("/tornado/gen.py:610 with_timeout.<locals>.timeout_callback", ["wait in vain"]),
        ("/tornado/gen.py:712 sleep.<locals>.set_result", []),
        ("/app/rpc.py:50 on_timeout", []),
    ],
)
def test_time_outs_of_tornado(tmp_path, frame, said):
    trace = answers(via="IOLoop._run_callback", stack=frame)
    assert kinds(tmp_path, trace) == said


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"late": 1}, id="one"),
        pytest.param({"quick_ns": 600 * MS}, id="a slow service"),
        pytest.param({"ends": False}, id="they go on"),
        pytest.param({"via": "set_result"}, id="a timer sets it"),
        pytest.param({"what": "Event"}, id="an event may pace"),
    ],
)
def test_answers_that_may_be_all_right(tmp_path, story):
    assert kinds(tmp_path, answers(**story)) == []


def listeners(by_task=True, goes_on=True):
    """Two tasks wait for ever, as listeners do, until somebody ends them; they tidy up."""
    trace = TraceBuilder(argv="listen.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, end = trace.loop(thread), 2_000 * MS
    lifespan = loop.task("lifespan", site="/app/listen.py:20 lifespan")
    lifespan.ready(0).running(0)
    for n in range(2):
        task = loop.task("listen", site="/app/listen.py:8 listen")
        own = trace.lock("Event", "/app/listen.py:11 listen")
        task.ready(n).running(n)
        task.awaits(MS, "Event", acquired=False, lock=own.id, site="/app/listen.py:11 listen")
        task.ready(end + n, **({"by": lifespan} if by_task else {"waker": "timer"}))
        task.running(end + n)
        if goes_on:
            task.awaits(end + MS, "query (asyncpg)").ready(end + 2 * MS).running(end + 2 * MS)
        task.done(end + 3 * MS, s.CANCELLED)
    lifespan.done(end + 4 * MS)
    thread.end(end + 5 * MS)
    return trace.ended(end + 6 * MS)


@pytest.mark.parametrize("goes_on", [True, False])
def test_who_is_cancelled_at_the_end_waited_for_nothing(tmp_path, goes_on):
    """It gave up, but no clock made it: a task did, so that one cancelled it."""
    assert kinds(tmp_path, listeners(goes_on=goes_on)) == []


def test_who_gives_up_by_the_clock_waited_in_vain(tmp_path):
    assert kinds(tmp_path, listeners(by_task=False)) == ["wait in vain"]


def stopping(parent=1, woken="ends", lasts_ns=1_500 * MS):
    """A handler tells the consumer to stop, and waits in vain for an event."""
    trace = TraceBuilder(argv="broker.py", signals=SIGNALS)
    thread = trace.thread("MainThread").native(0)
    loop, get = trace.loop(thread), "/app/broker.py:16 consume"
    main = loop.task("main", site="/app/broker.py:50 main").ready(0).running(0)
    main.awaits(1, "sleep")
    consume = loop.task("consume", site="/app/broker.py:15 consume").ready(2).running(2)
    consume.awaits(3, "Queue.get", site=get)
    handle = loop.task("handle", site="/app/broker.py:20 handle", parent=parent)
    handle.ready(300 * MS).running(300 * MS)
    idle = trace.lock("Event", "/app/broker.py:33 stop")
    if woken:
        consume.ready(300 * MS + 1, by=handle)
    at, end = 300 * MS + 2, 300 * MS + lasts_ns
    handle.awaits(at, "Event", acquired=False, lock=idle.id, site="/app/broker.py:33 stop")
    if woken:
        consume.running(at + 1)
    if woken == "ends":
        consume.done(at + 2)
    elif woken:
        consume.awaits(at + 2, "Queue.get", site=get)
    handle.ready(end, waker="timer", via="Timeout._on_timeout").running(end).done(end + 1)
    main.ready(end + 2, waker="timer").running(end + 2).done(end + 3)
    thread.end(end + MS)
    return trace.ended(end + 2 * MS)


def test_who_told_another_one_to_end_waits_for_more(tmp_path):
    (found,) = find_in(tmp_path, stopping())
    assert found.finding == "wait in vain"
    assert found.text.startswith(
        "Waited in vain: `handle` in `stop` (broker.py:33) gave up 1 wait in `Event`, 1.50 s"
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"woken": ""}, id="it told nobody"),
        pytest.param({"woken": "goes on"}, id="who was told goes on"),
        pytest.param({"parent": 0}, id="the program's own task"),
        pytest.param({"lasts_ns": 900 * MS}, id="not for long"),
    ],
)
def test_one_task_that_waits_until_a_time_is_over(tmp_path, story):
    assert kinds(tmp_path, stopping(**story)) == []
