"""Descriptors that pile up, or do not."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

STEP = 100 * MS


def leak(counts, *, opens=75, above=None, rest=0, step=STEP, users=0, leave=True, stack=""):
    """A counter of descriptors every 100 ms, which then stays for `rest` more times; `check`
    connects meanwhile. `users` come in turn, each in a thread, and `leave` in the end."""
    trace = TraceBuilder(argv="leak.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    track = trace.track(s.COUNTER_FILES, b"", parent=above(trace) if above else -1)
    for n, count in enumerate(counts):
        trace.counter(track, n * step, count)
    end = (len(counts) + rest) * step
    for n in range(opens):
        at = n * end // opens
        main.io(at, "socket.connect", site="/app/leak.py:9 check", stack=stack)
        main.native(at + MS)
    came = [
        trace.thread(f"user-{n}").native((n + 1) * end // (users + 2)) for n in range(users)
    ]
    for user in came if leave else ():
        user.end(end + MS)
    main.end(end + 2 * MS * bool(users))
    return trace.ended(end + 2 * MS * bool(users))


def test_each_call_leaves_one(tmp_path):
    (found,) = find_in(tmp_path, leak([10 + 10 * n for n in range(16)]))
    assert found.finding == "descriptors pile up"
    assert found.text == (
        "Descriptors pile up: 10 files and connections were open at 0, 160 after 1.50 s, and "
        "the number rose all the time. Meanwhile `check` (leak.py:9) called "
        "`socket.connect` 71 times, or more. Close what is opened: use `with`, or keep one "
        "client or session and use it again."
    )
    assert found.evidence.site == "/app/leak.py:9 check"


LIBRARY = "/venv/lib/python3.13/site-packages/aiosqlite/core.py"


def test_a_library_opens_them_in_threads_that_it_starts(tmp_path):
    trace = TraceBuilder(argv="notes.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    track, at = trace.track(s.COUNTER_FILES, b""), 0
    stack = f"{LIBRARY}:177 Connection.__await__\n/app/notes.py:14 connect"
    for n in range(16):
        trace.counter(track, at, 10 + 10 * n)
        for _ in range(10):
            begun = trace.instant(main.track, at, s.THREAD_START, s.CAT_THREAD, stack=stack)
            worker = trace.thread("worker").native(at)
            trace.arrow(begun, trace.instant(worker.track, at, s.THREAD_STARTED, s.CAT_THREAD))
            worker.io(at + 1, "sqlite3.connect", site=f"{LIBRARY}:466 connector")
            worker.native(at + MS).end(at + 2 * MS)
            at += STEP // 10
    main.end(at)
    (found,) = find_in(tmp_path, trace.ended(at))
    said = "Meanwhile `connect` (notes.py:14) called `sqlite3.connect` 150 times, or more."
    assert said in found.text


def test_who_opens_them_may_be_too_quick(tmp_path):
    (found,) = find_in(tmp_path, leak([10 + 10 * n for n in range(16)], opens=1))
    assert (
        "Short calls are not in the trace: of the 1 call that opened something and took "
        "longer, 1 was `socket.connect` in `check` (leak.py:9)."
    ) in found.text
    assert found.evidence.site == "/app/leak.py:9 check"


def test_who_opens_them_may_be_unknown(tmp_path):
    (found,) = find_in(tmp_path, leak([10 + 10 * n for n in range(16)], opens=0))
    assert found.text.partition("all the time.")[2].startswith(" Close what is opened")


def test_files_of_modules_are_closed_at_once(tmp_path):
    stack = (
        "<frozen importlib._bootstrap_external>:1213 FileLoader.get_data\n/app/leak.py:9 check"
    )
    (found,) = find_in(tmp_path, leak([10 + 10 * n for n in range(16)], stack=stack))
    assert found.text.partition("all the time.")[2].startswith(" Close what is opened")


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param([*range(10, 160, 10), 70], id="the program closes them as it ends"),
        pytest.param([11, 10, 10, *range(10, 160, 10)], id="a file was read"),
        pytest.param([*[10] * 14, *range(10, 160, 10)], id="nothing to do at first"),
    ],
)
def test_what_does_not_hide_them(tmp_path, counts):
    assert kinds(tmp_path, leak(counts)) == ["descriptors pile up"]


@pytest.mark.parametrize(
    ("step", "found"), [(170 * MS, ["descriptors pile up"]), (410 * MS, [])]
)
def test_the_last_count_before_the_end_of_a_short_program(tmp_path, step, found):
    """It is asked seldom, and the next time only when all is closed."""
    assert kinds(tmp_path, leak([*range(10, 90, 15), 90, 60], rest=-1, step=step)) == found


@pytest.mark.parametrize(
    "counts",
    [
        pytest.param([10 + 3 * n for n in range(16)], id="few"),
        pytest.param([10] + [160] * 15, id="a burst of clients"),
        pytest.param([10] + [20] * 14 + [160], id="a burst at the end"),
        pytest.param([*range(10, 100, 10), 50, *range(100, 160, 10)], id="some are closed"),
        pytest.param([10, 80, 160], id="within a moment"),
        pytest.param([*[10] * 17, *range(10, 160, 10)], id="a long burst"),
        pytest.param([*[10] * 8, *[160] * 9], id="a burst of clients after a while"),
        pytest.param([*range(10, 120, 10), *[60] * 8], id="closed long before the end"),
    ],
)
def test_descriptors_that_do_not_pile_up(tmp_path, counts):
    assert kinds(tmp_path, leak(counts)) == []


def test_what_grew_and_then_stayed(tmp_path):
    """Clients that come one after the other and stay: what stays is not told again."""
    counts = list(range(10, 160, 10))
    assert kinds(tmp_path, leak(counts, rest=1)) == ["descriptors pile up"]
    assert kinds(tmp_path, leak(counts, rest=15)) == []


@pytest.mark.parametrize(
    ("story", "found"),
    [
        ({"users": 60}, []),
        ({"users": 40}, ["descriptors pile up"]),
        ({"users": 60, "leave": False}, ["descriptors pile up"]),
    ],
)
def test_users_who_come_in_turn_and_leave_in_the_end(tmp_path, story, found):
    counts = [10 + 10 * n for n in range(16)]
    assert kinds(tmp_path, leak(counts, **story)) == found


def test_a_counter_of_the_program_with_that_name(tmp_path):
    trace = leak([10 + 10 * n for n in range(16)], above=lambda t: t.track("user counters"))
    assert kinds(tmp_path, trace) == []


@pytest.mark.parametrize(("late_ns", "found"), [(0, ["descriptors pile up"]), (-MS, [])])
def test_the_count_next_to_the_middle(tmp_path, late_ns, found):
    """It is asked now and then: the count just after the middle tells as much as that before.
    What grows for a third of the time only may be a burst."""
    trace = TraceBuilder(argv="leak.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    track = trace.track(s.COUNTER_FILES, b"")
    counts = (
        [10, 22, 41, 63, 87, 112, 135, 159]
        if not late_ns
        else [10, 11, 12, 13, 14, 60, 110, 159]
    )
    for n, count in enumerate(counts):
        trace.counter(track, n * 371 * MS - (n == 4) * 185 * MS, count)
    main.end(2_600 * MS)
    assert kinds(tmp_path, trace.ended(2_600 * MS)) == found
