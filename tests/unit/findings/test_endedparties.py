"""Processes that wait for what one that has ended had, or for one that never came."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS
from viewer.analysis.findings import Facts, find
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

LIBRARY = "/usr/lib/python3.13/multiprocessing/"
FETCH, MAIN = "/app/load.py:5 fetch", "/app/load.py:18 main"
ACQUIRE = f"{FETCH}\n{MAIN}"
BARRIER = (
    f"{LIBRARY}synchronize.py:95 SemLock.__enter__\n{LIBRARY}synchronize.py:250 "
    f"Condition.wait\n/usr/lib/python3.13/threading.py:700 Barrier.wait\n{FETCH}"
)
QUEUE = f"{LIBRARY}queues.py:102 Queue.get\n{FETCH}"


def waits(
    stack=ACQUIRE, ns=1_000 * MS, dies=50 * MS, status=9, parent="os.waitpid", busy=False
):
    """`dl-0` ends at `dies`; `dl-1` and `dl-2` wait in a semaphore, the parent for them."""
    family = Family("load.py")
    main = family.first.thread("MainThread").native(0)
    children = [family.fork(main, at=MS, pid=101 + n, name=f"dl-{n}") for n in range(3)]
    threads = [family.main(child).native(2 * MS) for child in children]
    end = 20 * MS + ns
    threads[0].native(3 * MS).end(dies)
    children[0].ended(dies)
    main.io(10 * MS, parent, site=MAIN).native(end + 5 * MS)
    family.ended(main, children[0], end + 5 * MS, status=status)
    for thread in threads[1:]:
        thread.io(20 * MS, "multiprocessing.SemLock.acquire", site=FETCH, stack=stack)
        if busy and thread is threads[2]:
            thread.native(21 * MS)
        thread.native(end).end(end + MS)
    for child in children[1:]:
        child.ended(end + MS)
    main.end(end + 6 * MS)
    family.first.ended(end + 6 * MS)
    return family


def told(tmp_path, family):
    return find(Facts(build_model(read_trace(family.write(tmp_path)))))


def test_who_had_the_permit_has_ended(tmp_path):
    (found,) = told(tmp_path, waits())
    assert (found.finding, found.severity_ns) == ("slots never returned", 2_000 * MS)
    assert found.text == (
        "Slots never returned: `dl-1` and `dl-2` in `fetch` (load.py:5) waited for a lock or "
        "semaphore of `multiprocessing`: 2 waits, 2.00 s in total, the longest 1.00 s (at "
        "20.0 ms). `dl-0` had ended with exit code 9 (at 50.0 ms), and nobody else goes on: "
        "it may have held it, and what an ended process has is never released. Release it in "
        "a `finally`, or with `with`."
    )


def test_who_should_have_come_to_a_barrier_has_ended(tmp_path):
    found = told(tmp_path, waits(stack=BARRIER))[0]
    assert found.finding == "wait in vain"
    assert found.text.endswith(
        "waited in `Barrier.wait`: 2 waits, 2.00 s in total, the longest 1.00 s (at 20.0 ms). "
        "`dl-0` had ended with exit code 9 (at 50.0 ms) and never came. Let those who wait "
        "know: `abort()` the barrier when one of them fails."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"ns": 240 * MS}, id="little"),
        pytest.param({"stack": QUEUE}, id="a queue of the library"),
        pytest.param({"dies": 900 * MS}, id="it ended late"),
        pytest.param({"busy": True}, id="another one goes on"),
        pytest.param({"parent": "socket.recv"}, id="the parent does something else"),
    ],
)
def test_waits_that_somebody_may_end(tmp_path, story):
    found = told(tmp_path, waits(**story))
    assert not any("had ended" in one.text for one in found)


def killed(reads=QUEUE, signal=9):
    """`dl-0` is killed; then `dl-1` reads from a queue, for whose lock `dl-2` waits."""
    family, end = Family("load.py"), 1_050 * MS
    main = family.first.thread("MainThread").native(0)
    children = [family.fork(main, at=MS, pid=101 + n, name=f"dl-{n}") for n in range(3)]
    first, reader, waiter = (family.main(child).native(2 * MS) for child in children)
    first.native(3 * MS).end(10 * MS)
    children[0].ended(10 * MS)
    main.native(12 * MS)
    family.ended(main, children[0], 13 * MS, signal=signal)
    reader.io(20 * MS, "os.read", site=FETCH, stack=reads).native(end).end(end + MS)
    stack = f"{LIBRARY}synchronize.py:95 SemLock.__enter__\n{LIBRARY}queues.py:101 Queue.get"
    waiter.io(30 * MS, "multiprocessing.SemLock.__enter__", site=FETCH, stack=stack)
    waiter.native(end).end(end + MS)
    for child in children[1:]:
        child.ended(end + MS)
    main.end(end + 6 * MS)
    family.first.ended(end + 6 * MS)
    return family


def test_who_was_killed_may_have_had_the_lock(tmp_path):
    found = told(tmp_path, killed(reads=FETCH))
    assert any("`dl-0` was killed by SIGKILL" in one.text for one in found)


def test_another_one_is_further_on_where_the_lock_is_taken(tmp_path):
    found = told(tmp_path, killed())
    assert "slots never returned" not in [one.finding for one in found]
