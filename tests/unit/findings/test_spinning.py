"""Threads that ask again and again instead of waiting."""

import pytest

from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

POLL = "/app/poll.py:5 poll"


def sleeper(times=600, ns=MS, rest_ns=MS // 10, woken=0):
    """`woken`: how often it has something for another thread when it wakes."""
    trace = TraceBuilder(argv="poll.py", signals=SIGNALS)
    thread, at, other = trace.thread("poller"), 0, trace.thread("device").native(0)
    box = trace.lock("Queue.get", "/app/poll.py:15 take")
    for number in range(times):
        thread.sleep(at, site=POLL)
        if number < woken:
            other.lock_wait(at, "Queue.get", lock=box, site="/app/poll.py:15 take")
        thread.native(at + ns)
        if number < woken:
            thread.release(at + ns, box, to=other)
            other.native(at + ns)
        at += ns + rest_ns
    other.end(at)
    thread.end(at)
    return trace.ended(at + MS)


def test_tiny_sleeps(tmp_path):
    (found,) = find_in(tmp_path, sleeper())
    assert found.finding == "busy loop"
    assert found.text == (
        "`poller` polls in `poll` (poll.py:5): it sleeps 600 times, 1.00 ms on average, for "
        "660 ms (at 0). Wait for what it asks for (an event, a condition, a queue), or sleep "
        "longer each time."
    )
    assert found.evidence.site == POLL
    assert found.severity_ns == 599 * MS // 10  # it is awake for that long


def test_who_seldom_finds_something_polls(tmp_path):
    assert kinds(tmp_path, sleeper(woken=100)) == ["busy loop"]


def test_tiny_sleeps_of_several_threads(tmp_path):
    """Those that differ in a number only are told at once."""
    trace = TraceBuilder(argv="poll.py", signals=SIGNALS)
    threads, at = [trace.thread(f"web-{n}") for n in range(3)], 0
    for _ in range(600):
        for thread in threads:
            thread.sleep(at, site=POLL).native(at + MS)
        at += MS + MS // 10
    for thread in threads:
        thread.end(at)
    (found,) = find_in(tmp_path, trace.ended(at + MS))
    assert "for 660 ms (at 0), as do 3 threads `web-N` in all. Wait for" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 400}, id="not often"),
        pytest.param({"ns": 3 * MS}, id="it sleeps"),
        pytest.param({"ns": MS // 10, "rest_ns": MS}, id="it works"),
        pytest.param({"rest_ns": MS // 4}, id="it does something each time"),
        pytest.param({"woken": 400}, id="it wakes another one each time"),
    ],
)
def test_a_thread_that_paces_itself(tmp_path, story):
    assert kinds(tmp_path, sleeper(**story)) == []


def client(times=150, answers=0, pause_ns=5 * MS):
    trace = TraceBuilder(argv="sync.py", signals=SIGNALS)
    thread, at, site = trace.thread("sync"), 0, "/app/sync.py:7 sync"
    for n in range(times):
        thread.io(at, "socket.connect", site=site).native(at + MS // 10)
        if n < answers:
            thread.io(at + MS // 5, "socket.recv", site=site).native(at + MS)
        at += pause_ns
    thread.end(at)
    return trace.ended(at + MS)


def test_connections_that_are_never_used(tmp_path):
    (found,) = find_in(tmp_path, client())
    assert found.text == (
        "`sync` polls in `sync` (sync.py:7): it connects again and again, more than 150 times "
        "in 745 ms (at 0), and never sends anything. Wait between two attempts, longer each "
        "time."
    )
    assert found.finding == "busy loop"


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 90}, id="not often"),
        pytest.param({"answers": 150}, id="a new connection for each request"),
        pytest.param({"pause_ns": 100 * MS}, id="with a pause"),
    ],
)
def test_other_connections(tmp_path, story):
    assert kinds(tmp_path, client(**story)) == []


QUEUE = "/usr/lib/python3.13/queue.py"
GETS = [("Queue.get_nowait", QUEUE, 234), ("Queue.get", QUEUE, 190)]
PACKAGES = "/venv/lib/python3.13/site-packages"
REDIS = [
    ("PubSub.get_message", f"{PACKAGES}/redis/client.py", 1609),
    ("Connection.can_read", f"{PACKAGES}/redis/connection.py", 1387),
    ("HiredisParser.read", f"{PACKAGES}/redis/parser.py", 64),
]
ALIVE = [("BaseProcess.is_alive", "/usr/lib/python3.13/multiprocessing/process.py", 159)]
KAFKA = [("KafkaConsumer.poll", f"{PACKAGES}/kafka/consumer.py", 700)]
OWN = [("Store.empty", "/app/store.py", 7)]
SELECT = [("EpollSelector.select", "/usr/lib/python3.13/selectors.py", 452)]
NOTICES = [("Connection.notifies", f"{PACKAGES}/psycopg/connection.py", 400)]
LOOP = [
    ("BaseEventLoop._run_once", "/usr/lib/python3.13/asyncio/base_events.py", 1990),
    *SELECT,
]


def asking(ns=800 * MS, asks=70, of=80, question=GETS, calls=0):
    """`consumer` computes; so many of its samples are in a question. It makes `calls`, too."""
    trace = TraceBuilder(argv="ask.py", signals=SIGNALS)
    thread, samples = trace.thread("consumer").running(0), SampleBuilder(trace)
    user = ("consume", "/app/ask.py", 9)
    for n in range(of):
        stack = [user]
        if n < asks:
            stack += question
        samples.add(thread, n * ns // of, *stack)
    for n in range(calls):
        thread.io(n * MS + MS, "poll", site="/app/ask.py:9 consume").running(n * MS + MS + 50)
    thread.end(ns)
    return trace.ended(ns + MS)


def test_questions_alone(tmp_path):
    (found,) = find_in(tmp_path, asking())
    assert found.finding == "busy loop"
    assert found.text == (
        "`consumer` polls in `consume` (ask.py:9): it computes for 800 ms, 88 % of that in "
        "polling calls (Queue.get_nowait, 70 of 80 CPU samples). Let it wait for the answer: "
        "`get` instead of `get_nowait`, `wait` instead of `is_set`."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="little"),
        pytest.param({"asks": 30}, id="it mostly works"),
        pytest.param({"of": 8, "asks": 8}, id="too few samples"),
        pytest.param({"of": 15, "asks": 11}, id="few samples that are not clear"),
        pytest.param({"question": KAFKA}, id="a poll that brings records"),
        pytest.param({"question": OWN}, id="a function of the program itself"),
        pytest.param({"question": LOOP}, id="a loop of the library"),
        pytest.param({"question": NOTICES, "calls": 8}, id="notices that come"),
    ],
)
def test_a_thread_that_works(tmp_path, story):
    assert kinds(tmp_path, asking(**story)) == []


def test_few_samples_that_are_clear(tmp_path):
    (found,) = find_in(tmp_path, asking(of=12, asks=10))
    assert "(Queue.get_nowait, 10 of 12 CPU samples)" in found.text


def test_a_question_deep_in_a_library(tmp_path):
    (found,) = find_in(tmp_path, asking(question=REDIS))
    assert found.text == (
        "`consumer` polls in `consume` (ask.py:9): it computes for 800 ms, 88 % of that in "
        "polling calls (Connection.can_read, 70 of 80 CPU samples). Give the call a time-out "
        "(`get_message(timeout=1)`), or use one that waits (`listen`)."
    )


def test_what_to_do_instead(tmp_path):
    (found,) = find_in(tmp_path, asking(question=ALIVE))
    assert found.text.endswith("`sentinel` of several processes.")


def test_what_fails_at_once(tmp_path):
    (found,) = find_in(tmp_path, asking(question=NOTICES, calls=7))
    assert "polling calls (Connection.notifies, 70 of 80 CPU samples)" in found.text
    assert "or fails, as when the connection is closed" in found.text


def test_what_stays_ready(tmp_path):
    (found,) = find_in(tmp_path, asking(question=SELECT))
    assert "polling calls (EpollSelector.select, 70 of 80 CPU samples)" in found.text
    assert "unregister what has ended" in found.text


def reading(
    ns=800 * MS, reads=60, empty=55, here=70, of=80, name="socket.recv", selects=0, size=-1,
    more=900, stack="",
):  # fmt: skip
    """`reader` reads a socket that does not block; so many of its samples are at that line,
    and others in `select`."""
    trace = TraceBuilder(argv="ask.py", signals=SIGNALS)
    thread, samples = trace.thread("reader").running(0), SampleBuilder(trace)
    for n in range(reads):
        at = (n + 1) * ns // (reads + 2)
        got = size if n < empty else more
        thread.io(at, name, site="/app/ask.py:9 read_all", size_bytes=got, stack=stack)
        thread.running(at + 30_000)
    for n in range(of):
        line = 9 if n < here else 14
        inside = SELECT if here <= n < here + selects else []
        samples.add(thread, n * ns // of, ("read_all", "/app/ask.py", line), *inside)
    thread.end(ns)
    return trace.ended(ns + MS)


AT_ITS_END = {"name": "os.read", "reads": 20, "empty": 20, "here": 35, "selects": 35}


@pytest.mark.parametrize("size", [-1, 0])
def test_what_stays_ready_and_brings_nothing(tmp_path, size):
    """A pipe at its end: neither the questions nor the reads alone are most of it."""
    (found,) = find_in(tmp_path, reading(**AT_ITS_END, size=size))
    said = "polling calls (EpollSelector.select, and reads that get nothing, 70 of "
    assert said in found.text
    assert "unregister what has ended" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"empty": 5}, id="the reads bring something"),
        pytest.param({"selects": 15}, id="it hardly asks"),
        pytest.param({"here": 4}, id="it mostly works"),
        pytest.param({"reads": 8, "empty": 8}, id="few reads"),
    ],
)
def test_what_is_ready_with_something(tmp_path, story):
    assert kinds(tmp_path, reading(**AT_ITS_END | story)) == []


def test_reads_that_bring_nothing(tmp_path):
    (found,) = find_in(tmp_path, reading())
    assert found.finding == "busy loop"
    assert found.text == (
        "`reader` polls in `read_all` (ask.py:9): it computes for 798 ms, 88 % of 80 CPU "
        "samples are in `socket.recv`, and most of these calls bring nothing. Let the socket "
        "block, or wait for it (`select`, `selectors`)."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 400 * MS}, id="little"),
        pytest.param({"empty": 20}, id="they bring something"),
        pytest.param({"here": 30}, id="it mostly works"),
        pytest.param({"reads": 40, "empty": 40}, id="few"),
        pytest.param({"name": "socket.send"}, id="it writes"),
    ],
)
def test_a_thread_that_reads(tmp_path, story):
    assert kinds(tmp_path, reading(**story)) == []


def test_reads_of_a_few_bytes(tmp_path):
    (found,) = find_in(tmp_path, reading(size=1))
    assert found.text == (
        "`reader` reads in tiny pieces in `read_all` (ask.py:9): it computes for 798 ms, 88 % "
        "of 80 CPU samples are in `socket.recv`, and most of these calls bring a few bytes. "
        "Read larger pieces, or through a buffer (`makefile`, `BufferedReader`)."
    )
    assert find_in(tmp_path, reading(size=9)) == ()
    library = "/venv/lib/site-packages/redis/connection.py:68 read\n/app/ask.py:9 read_all"
    assert find_in(tmp_path, reading(size=1, stack=library)) == ()


def impatient(times=600, ns=MS, rest_ns=MS // 10, gets=0, site=POLL):
    """A thread waits for an item with a tiny time-out."""
    trace = TraceBuilder(argv="poll.py", signals=SIGNALS)
    thread, at = trace.thread("poller"), 0
    lock = trace.lock("Queue.get", site)
    for n in range(times):
        thread.lock_wait(at, "Queue.get", lock=lock, site=site, acquired=n < gets)
        thread.native(at + ns)
        at += ns + rest_ns
    thread.end(at)
    return trace.ended(at + MS)


def test_tiny_time_outs(tmp_path):
    (found,) = find_in(tmp_path, impatient())
    assert found.finding == "busy loop"
    assert found.text == (
        "`poller` polls in `poll` (poll.py:5): `Queue.get` runs into its time-out 600 times, "
        "after 1.00 ms on average, for 660 ms (at 0). Wait without a time-out and put a last "
        "item to end it, or take a longer one."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 400}, id="not often"),
        pytest.param({"ns": 3 * MS}, id="it waits"),
        pytest.param({"gets": 200}, id="it gets something"),
        pytest.param({"ns": MS // 10, "rest_ns": MS}, id="it works"),
        pytest.param({"site": "/usr/lib/python3.13/sched.py:9 run"}, id="a library's thread"),
    ],
)
def test_a_thread_that_waits(tmp_path, story):
    assert kinds(tmp_path, impatient(**story)) == []


CONNECT = (
    "/usr/lib/python3.13/asyncio/selector_events.py:641 BaseSelectorEventLoop.sock_connect"
)


def reconnecting(times=150, others="", every_ns=5 * MS, calls=0):
    """A task connects again and again, and perhaps awaits something else in between."""
    trace = TraceBuilder(argv="sync.py", signals=SIGNALS)
    thread, site = trace.thread("MainThread"), "/app/sync.py:9 keep_connected"
    loop = trace.loop(thread)
    task = loop.task("keep_connected", site="/app/sync.py:5 keep_connected").ready(0)
    at = MS
    for _ in range(times):
        for what, stack in (("socket", f"{CONNECT}\n{site}"), (others, site)):
            if what:
                task.running(at).awaits(at + MS // 10, what, site=site, stack=stack)
                at += every_ns
                task.ready(at - MS // 10)
    task.running(at).done(at + 1)
    for n in range(calls):
        thread.io(n * every_ns, "socket.connect", site=site).native(n * every_ns + MS)
    if calls:
        thread.end(calls * every_ns)
    return trace.ended(at + MS)


@pytest.mark.parametrize("calls", [0, 120])
def test_a_task_that_only_connects(tmp_path, calls):
    """It is told once, even if its thread is seen to connect."""
    (found,) = find_in(tmp_path, reconnecting(calls=calls))
    assert found.finding == "busy loop"
    assert found.text == (
        "`keep_connected` (sync.py:5) polls in `keep_connected` (sync.py:9): it connects "
        "again and again, 150 times in 750 ms (at 1.10 ms), and awaits nothing else. Wait "
        "between two attempts, longer each time."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"times": 80}, id="not often"),
        pytest.param({"others": "sleep"}, id="with a pause"),
        pytest.param({"others": "future"}, id="with an answer"),
        pytest.param({"others": "future", "calls": 120}, id="what its thread sends is short"),
        pytest.param({"every_ns": 50 * MS}, id="slowly"),
    ],
)
def test_a_task_that_connects(tmp_path, story):
    assert kinds(tmp_path, reconnecting(**story)) == []
