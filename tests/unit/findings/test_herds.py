"""Threads that are all woken for what one of them has to do."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

US = 1_000
WAIT, OTHER = "/app/hub.py:9 wait_for_message", "/app/hub.py:30 flush"


def herd(
    goes=400, threads=10, turn_ns=150 * US, ran_ns=3 * US, at_once=10, does="", again=WAIT
):
    """`hub` wakes `at_once` of the threads, each of which waits for its turn, runs, and waits
    again; then the program pauses for as long."""
    trace = TraceBuilder(argv="hub.py", signals=SIGNALS)
    hub, lock = trace.thread("hub").native(0), trace.lock("Condition.wait", WAIT)
    devices = [trace.thread(f"device-{n}").native(0) for n in range(threads)]
    for device in devices:
        device.lock_wait(MS, "Condition.wait", lock=lock, site=WAIT)
    now = 2 * MS
    for go in range(goes):
        woken = [devices[(go + n) % threads] for n in range(at_once)]
        for device in woken:
            hub.release(now, lock, to=device)
            device.gil_wait(now + US)
        for n, device in enumerate(woken):
            at = now + (n + 1) * turn_ns
            device.running(at)
            if does == "send":
                device.io(at + US, "socket.sendall", site=OTHER).running(at + 100 * US)
                at += 100 * US
            device.lock_wait(at + ran_ns, "Condition.wait", lock=lock, site=again)
        now += 2 * (at_once + 1) * turn_ns
    for device in devices:
        hub.release(now, lock, to=device)
        device.native(now + US).end(now + MS)
    hub.end(now + MS)
    return trace.ended(now + 2 * MS)


def test_all_are_woken_for_one(tmp_path):
    (found,) = find_in(tmp_path, herd())
    assert found.finding == "thundering herd"
    assert found.text == (
        "Thundering herd: all of 10 threads `device-N` that wait in `Condition.wait` in "
        "`wait_for_message` (hub.py:9) are woken at once by `hub`, 10 at a time on average. "
        "After 100 % of 4,000 wake-ups they ran for 3.00 µs on average and waited again: "
        "there was nothing to do for them. For 601 ms in all (at 2.00 ms) some of them were "
        "on their way, and in the way of those with something to do."
    )
    assert found.severity_ns == 600 * MS + 400 * 2 * US
    assert found.next_step.startswith("Wake the one that it is for")


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"goes": 200}, id="little is lost"),
        pytest.param({"at_once": 2, "goes": 1500}, id="two are woken"),
        pytest.param({"ran_ns": 80 * US}, id="they work"),
        pytest.param({"does": "send"}, id="they send something"),
    ],
)
def test_wakes_that_are_no_herd(tmp_path, story):
    assert "thundering herd" not in kinds(tmp_path, herd(**story))


def test_who_looks_in_vain_does_not_compute(tmp_path):
    """They wait for the GIL more than they run, and are not told as those who share it."""
    assert "GIL saturated" not in kinds(tmp_path, herd(goes=600, ran_ns=45 * US))


def pool(connections=2, requests=8, looks=6, rounds=80):
    """Each connection is kept for 10 ms, asleep; who gives one back wakes all who wait."""
    trace = TraceBuilder(argv="pool.py", signals=SIGNALS)
    lock, site, asleep = (
        trace.lock("Condition.wait", WAIT),
        "/app/pool.py:9 take",
        "/app/pool.py:20 query",
    )
    stack = f"/usr/lib/python3.13/threading.py:359 Condition.wait\n{site}"
    threads = [trace.thread(f"request-{n}").native(0) for n in range(requests)]
    busy, waiting = threads[:connections], threads[connections:]
    for thread in busy:
        thread.sleep(MS, site=asleep)
    for thread in waiting:
        thread.lock_wait(MS, "Condition.wait", lock=lock, site=site, stack=stack)
    now = MS
    for _ in range(rounds):
        for place in range(connections):
            now += 10 * MS // connections
            giver = busy[place].native(now)
            for look in range(looks):
                at = now + look * 250 * US
                for n, thread in enumerate(waiting):
                    giver.release(at, lock, to=thread)
                    thread.gil_wait(at + US).running(at + (n + 1) * 30 * US)
                    then = at + (n + 1) * 30 * US + 2 * US
                    if n or look < looks - 1:
                        thread.lock_wait(
                            then, "Condition.wait", lock=lock, site=site, stack=stack
                        )
                    else:
                        thread.sleep(then, site=asleep)
            busy[place] = waiting.pop(0)
            giver.lock_wait(
                now + looks * 250 * US, "Condition.wait", lock=lock, site=site, stack=stack
            )
            waiting.append(giver)
    for thread in threads:
        thread.native(now + 10 * MS).end(now + 11 * MS)
    return trace.ended(now + 12 * MS)


def test_a_wait_between_looks_is_one_wait(tmp_path):
    """Of a pool that wakes all, the waits are told as whole ones: it is exhausted."""
    (found,) = find_in(tmp_path, pool())
    assert found.finding == "pool exhausted"
    assert "share 2 slots of a pool made of a `Condition`" in found.text
    assert "asleep in `query`" in found.text
