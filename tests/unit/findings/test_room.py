"""Semaphores of which nobody keeps a permit, and workers that have none."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in, kinds


def room(gives=False, count=20):
    """`camera` takes permits again and again, which only `encoder` gives: room in a buffer."""
    trace = TraceBuilder(argv="buffer.py", signals=SIGNALS)
    camera, encoder = trace.thread("camera").native(0), trace.thread("encoder").native(0)
    site, at = "/app/buffer.py:6 push", MS
    empty = trace.lock("Semaphore", site)
    for n in range(count):
        camera.lock_wait(at, "Semaphore", lock=empty, site=site, stack=site)
        encoder.sleep(at + 1, site="/app/buffer.py:9 store").native(at + 50 * MS)
        encoder.release(at + 50 * MS, empty, to=camera)
        camera.native(at + 50 * MS)
        at += 51 * MS
        if gives and n % 2:
            encoder.lock_wait(at, "Semaphore", lock=empty, site=site, stack=site)
            camera.release(at + 30 * MS, empty, to=encoder)
            encoder.native(at + 30 * MS)
            at += 31 * MS
    for thread in (camera, encoder):
        thread.end(at)
    return trace.ended(at + MS)


def test_a_semaphore_that_counts_room(tmp_path):
    assert kinds(tmp_path, room()) == []


def test_a_semaphore_that_both_have(tmp_path):
    assert kinds(tmp_path, room(gives=True)) == ["pool exhausted"]


@pytest.mark.parametrize("what", ["executor idle", "Queue.get"])
def test_a_worker_without_a_job_has_no_permit(tmp_path, what):
    """It is woken when the waiter has given up, but only by the next job."""
    trace, site = TraceBuilder(argv="batch.py", signals=SIGNALS), "/app/batch.py:10 submit_all"
    main, worker = trace.thread("MainThread").native(0), trace.thread("pool_0")
    permit, idle = trace.lock("Semaphore", site), trace.lock(what, "/app/batch.py:3 work")
    worker.lock_wait(0, what, lock=idle, site="/app/batch.py:3 work")
    main.lock_wait(
        10 * MS, "Semaphore", lock=permit, site=site, acquired=False, stack=site
    ).native(1_010 * MS)
    main.release(1_011 * MS, idle, to=worker)
    worker.native(1_011 * MS).end(1_012 * MS)
    main.end(1_012 * MS)
    found = find_in(tmp_path, trace.ended(1_013 * MS))[0]
    assert found.finding == "slots never returned"
    assert ("`pool_0` in `work`" in found.text) is (what != "executor idle")
