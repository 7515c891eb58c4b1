"""A pool that the program made of a list and a condition, whose slots do not all come back."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in

TAKE, USE = "/app/gpu.py:13 take", "/app/gpu.py:27 train"
CALL, OUTER = "/app/gpu.py:25 train", "/app/gpu.py:36 job"


def gpus(fails=True, producer=False, outer=OUTER, late=2, ns=600 * MS):
    """`train-0` gives its slot to `train-2`; `train-1` and `train-2` fail. `producer`: another
    thread gives slots, as work is given."""
    trace = TraceBuilder(argv="gpu.py", signals=SIGNALS)
    gate, work = trace.lock("Condition.wait", TAKE), [USE, *([outer] if outer else [])]
    one, two, three, *others = (trace.thread(f"train-{n}").native(0) for n in range(3 + late))
    stack, asks = "\n".join(work), "\n".join([TAKE, CALL, *work[1:]])
    one.io(MS, "ioctl", site=USE, stack=stack).native(50 * MS)
    two.io(MS, "ioctl", site=USE, stack=stack).native(60 * MS)
    three.lock_wait(2 * MS, "Condition.wait", lock=gate, site=TAKE, stack=asks)
    for n, other in enumerate(others):
        is_last = fails or n > 0
        other.lock_wait(
            3 * MS + n,
            "Condition.wait",
            lock=gate,
            site=TAKE,
            stack=asks,
            acquired=not is_last,
        )
    giver = trace.thread("feed").native(0) if producer else one
    giver.release(50 * MS, gate, to=three)
    three.native(50 * MS + 100).io(51 * MS, "ioctl", site=USE, stack=stack).native(101 * MS)
    if not fails and others:
        two.release(60 * MS, gate, to=others[0])
        others[0].native(60 * MS + 100)
    for thread in (one, two, three):
        thread.end(102 * MS)
    for n, other in enumerate(others):
        if fails or n:
            other.native(ns + n)
        other.end(ns + 10 * MS)
    if producer:
        giver.end(102 * MS)
    return trace.ended(ns + 20 * MS)


def test_who_used_one_and_gave_none_back(tmp_path):
    (found,) = find_in(tmp_path, gpus())
    assert found.finding == "slots never returned"
    assert found.text == (
        "Slots never returned: 2 threads `train-N` waited for a slot of a pool made of a "
        "`Condition` in `take` (gpu.py:13) and gave up: 2 waits, 1.19 s in total, the longest "
        "597 ms (at 3.00 ms). Nobody gave one back in that time; 2 threads `train-N` held one "
        "last. A slot must be given back whatever happens: with `with`, or in a `finally`."
    )


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"fails": False}, id="one of them got one"),
        pytest.param({"producer": True}, id="another one gives what they wait for"),
        pytest.param({"outer": ""}, id="it is all that they do, as of workers"),
        pytest.param({"late": 1, "ns": 1_500 * MS}, id="only one gave up"),
        pytest.param({"ns": 200 * MS}, id="little is lost"),
    ],
)
def test_conditions_that_are_no_such_pool(tmp_path, story):
    assert "slots never returned" not in [f.finding for f in find_in(tmp_path, gpus(**story))]
