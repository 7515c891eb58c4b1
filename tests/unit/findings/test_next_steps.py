"""What a finding says is to be done, by what blocks a loop and whose loop it is."""

import pytest

from tests.support.finding import MS, Service, find_in
from tracer import schema as s


@pytest.mark.parametrize(
    ("kind", "step"),
    [
        (s.TRACK_LOOP_PREFIX, "Use a thread: `await asyncio.to_thread(...)`."),
        (s.TRACK_GREENLETS_PREFIX, "Use a thread: `gevent.get_hub().threadpool.apply(...)`."),
    ],
)
def test_what_computes_without_the_gil_goes_to_a_thread(tmp_path, kind, step):
    service = Service(kind=kind)
    for n in range(3):
        if n:
            service.rest(n * 2_000 * MS)
        service.thread.native(service.now + 1).running(service.now + 30 * MS)
        service.step(30 * MS)
    (found,) = find_in(tmp_path, service.end())
    assert found.next_step == step
