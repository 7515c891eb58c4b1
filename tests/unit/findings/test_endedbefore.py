"""Waits in vain for what a thread that had ended did."""

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.finding import MS, SIGNALS, find_in
from tracer import schema as s

INIT = "/app/export.py:13 Exporter.__init__"
START = {s.ARG_SITE: INIT, s.ARG_STACK: INIT}
FLUSH = "/app/export.py:27 Exporter.flush"
RUN = "/app/export.py:16 Exporter.run"


def flush(worker=RUN, ends=100, spare="", waits_at=FLUSH):
    """MainThread waits for 1.2 s; workers sleep in their function until they end."""
    trace = TraceBuilder(argv="export.py", signals=SIGNALS)
    main = trace.thread("MainThread").native(0)
    for name, frame, end in (("exporter", worker, ends), ("spare", spare, 2_000)):
        if frame:
            thread, stack = trace.thread(name), f"/lib/python3.13/threading.py:9 run\n{frame}"
            begun = trace.instant(main.track, 0, s.THREAD_START, s.CAT_THREAD, **START)
            trace.arrow(begun, trace.instant(thread.track, 0, s.THREAD_STARTED, s.CAT_THREAD))
            thread.io(MS, "socket.recv", site=frame, stack=stack).native(end * MS - MS)
            thread.end(end * MS)
    lock = trace.lock("Condition.wait", waits_at)
    main.lock_wait(200 * MS, "Condition.wait", lock=lock, site=waits_at, acquired=False)
    main.native(1_400 * MS).end(2_001 * MS)
    return trace.ended(2_002 * MS)


def said(tmp_path, **story):
    (found,) = find_in(tmp_path, flush(**story))
    assert found.finding == "wait in vain"
    return found.text


def test_the_worker_of_its_class_had_ended(tmp_path):
    text = said(tmp_path)
    assert "); `exporter` had ended (at 100 ms), the last thread in `Exporter.run` (" in text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"worker": "/app/export.py:40 Sender.run"}, id="another class"),
        pytest.param({"worker": "/app/other.py:16 Exporter.run"}, id="another file"),
        pytest.param({"worker": "/app/export.py:16 run", "waits_at": FLUSH[:-14] + "flush"},
                     id="functions"),
        pytest.param({"ends": 1_900}, id="it lives"),
        pytest.param({"spare": "/app/export.py:18 Exporter.run"}, id="another one lives"),
    ],
)  # fmt: skip
def test_who_may_have_nothing_to_do_with_it(tmp_path, story):
    assert "had ended" not in said(tmp_path, **story)
