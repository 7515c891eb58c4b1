"""Threads whose last requests are never answered, though one thread answers all."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds

WAITS, LOOP = "/app/mqtt.py:22 wait_for_publish", "/app/mqtt.py:40 loop"


def requests(answered=10, took_ns=40 * MS, vain_ns=1_500 * MS, shared=False, again=False):
    """`network` answers `answered` requests of two sensors, and then waits for something
    else; the last requests are given up."""
    trace = TraceBuilder(argv="mqtt.py", signals=SIGNALS)
    network = trace.thread("network").native(0)
    sensors = [trace.thread(f"sensor-{n}").native(0) for n in range(2)]
    own, now = trace.lock("Condition.wait", WAITS), MS
    for number in range(answered):
        sensor = sensors[number % 2].native(now)
        lock = own if shared else trace.lock("Condition.wait", WAITS)
        sensor.lock_wait(now, "Condition.wait", lock=lock, site=WAITS)
        network.release(now + took_ns, lock, to=sensor)
        sensor.native(now + took_ns)
        now += took_ns + MS
    network.lock_wait(
        now, "Event.wait", lock=trace.lock("Event.wait", LOOP), site=LOOP, acquired=False
    )
    for sensor in sensors:
        lock = own if shared else trace.lock("Condition.wait", WAITS)
        sensor.lock_wait(now, "Condition.wait", lock=lock, site=WAITS, acquired=False)
    end = now + vain_ns
    network.native(end)
    for sensor in sensors:
        sensor.native(end)
        if again:
            lock = trace.lock("Condition.wait", WAITS)
            sensor.lock_wait(end + 10 * MS, "Condition.wait", lock=lock, site=WAITS)
            network.release(end + 30 * MS, lock, to=sensor)
            sensor.native(end + 30 * MS)
        sensor.end(end + 40 * MS)
    network.end(end + 40 * MS)
    return trace.ended(end + 50 * MS)


def test_the_last_ones_were_never_answered(tmp_path):
    (found,) = find_in(tmp_path, requests())
    assert found.finding == "wait in vain"
    assert found.text == (
        "Waited in vain: 2 threads `sensor-N` in `wait_for_publish` (mqtt.py:22) gave up 2 "
        "waits in `Condition.wait`, 3.00 s in total, the longest 1.50 s (at 411 ms); "
        "`network`, which had ended 10 others, spent 100 % of that time waiting for "
        "`Event.wait` in `loop` (mqtt.py:40). Look at what should have ended it, and whether "
        "it was ever started."
    )
    assert found.severity_ns == 3_000 * MS


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"answered": 4}, id="it was hardly ever answered"),
        pytest.param({"vain_ns": 400 * MS}, id="not long"),
        pytest.param({"took_ns": 900 * MS}, id="answers take that long"),
        pytest.param({"shared": True}, id="a condition to wait for work"),
        pytest.param({"again": True}, id="it is asked again, and answers"),
    ],
)
def test_time_outs_that_are_no_loss(tmp_path, story):
    assert "wait in vain" not in kinds(tmp_path, requests(**story))
