"""Records of a pool's jobs become instants, a slice in the worker, and arrows between them."""

import struct

from tests.support.records import FUNC, MAIN, OTHER, Script
from tests.support.validator.strict import Event, read_strict
from tracer import _core
from tracer import schema as s

SUBMITTED, SENT, BEGUN, ENDED, RESULT_SENT, RESULT_RECEIVED = range(6)
POOL, JOB = 12, 7 << 32 | 3
FAILED = _core.intern("KeyError", "")[0]
SAME = {s.ARG_POOL: POOL, s.ARG_JOB: JOB}


def step(script: Script, ns: int, flag: int, a: int = 0, **is_: int) -> None:
    """A record; `bytes`, `pickling`, `since`, `by` are its details."""
    times = (is_.get(name, 0) for name in ("bytes", "pickling", "since"))
    details = struct.pack("<3Q2I", *times, is_.get("by", 0), 0)
    kind = _core.RECORD_KINDS["POOL_JOB"]
    script.records.append((MAIN, ns, kind, flag, a, POOL, JOB, details))


def events(script: Script) -> list[Event]:
    found = read_strict(script.data()).events
    return [e for e in found if e.category == s.CAT_JOB or e.type == s.TYPE_SLICE_END]


def parent() -> Script:
    script = Script([])
    step(script, 5_000, SUBMITTED, FUNC, since=4_000)
    step(script, 9_000, SENT, bytes=100, pickling=50, since=8_000)
    step(script, 90_000, RESULT_RECEIVED, bytes=30, pickling=7)
    return script


def worker() -> Script:
    script = Script([])
    step(script, 10_000, BEGUN, FUNC, bytes=100, pickling=60)
    step(script, 20_000, ENDED, FAILED)
    step(script, 25_000, RESULT_SENT, bytes=30, pickling=9, since=21_000)
    return script


def test_in_the_parent() -> None:
    """What was submitted earlier, and what began to be written then, is told as of then."""
    submit, sent, received = events(parent())
    assert (submit.name, submit.time_ns) == (s.SUBMIT, 4_000)
    assert submit.args == SAME | {s.ARG_NAME: "handler"}
    assert (sent.name, sent.time_ns) == (s.JOB_SENT, 8_000)
    assert sent.args == SAME | {s.ARG_BYTES: 100, s.ARG_PICKLING: 50, s.ARG_SENDING: 1_000}
    assert (received.name, received.time_ns) == (s.RESULT_RECEIVED, 90_000)
    assert received.args == SAME | {s.ARG_BYTES: 30, s.ARG_PICKLING: 7}


def test_in_the_worker() -> None:
    begin, end, result = events(worker())
    assert (begin.name, begin.time_ns, end.time_ns) == ("handler", 10_000, 20_000)
    assert begin.args == SAME | {
        s.ARG_BYTES: 100,
        s.ARG_PICKLING: 60,
        s.ARG_SITE: "app.py:3 handler",
    }
    assert end.args == {s.ARG_EXCEPTION: "KeyError"}
    assert (result.name, result.time_ns) == (s.RESULT_SENT, 21_000)
    assert result.args == SAME | {s.ARG_BYTES: 30, s.ARG_PICKLING: 9, s.ARG_SENDING: 4_000}


def test_both_know_the_arrows() -> None:
    """One there and one back, from numbers that both processes have."""
    submit, _, received = events(parent())
    begin, _, result = events(worker())
    assert submit.flows == begin.ends_flows
    assert result.flows == received.ends_flows
    assert len({*submit.flows, *result.flows}) == 2


def test_a_chunk_is_submitted_by_the_thread_that_called() -> None:
    """It is told by the thread that sends it, of the thread and the time of map()."""
    script = Script([])
    script.add(1_000, "THREAD_NAME", OTHER, text=b"caller")
    script.add(1_000, "LOOP_RUN", 1, tid=OTHER)
    step(script, 9_000, SUBMITTED, FUNC, since=2_000, by=OTHER)
    trace = read_strict(script.data())
    (submit,) = [e for e in trace.events if e.name == s.SUBMIT]
    assert (trace.tracks[submit.track].tid, submit.time_ns) == (OTHER, 2_000)


def test_a_lost_end_ends_at_the_next_job() -> None:
    script = worker()
    del script.records[1:]
    step(script, 30_000, BEGUN, FUNC)
    assert [each[1:] for each in script.slices() if each[0].startswith(s.CAT_JOB)] == [
        (10_000, 30_000),
        (30_000, -1),
    ]


def test_an_unknown_size() -> None:
    """Nothing that is pickled is empty: of an unknown size none is told."""
    script = Script([])
    step(script, 5_000, SENT)
    step(script, 90_000, RESULT_RECEIVED)
    step(script, 95_000, BEGUN, FUNC)
    assert [s.ARG_BYTES in event.args for event in events(script)] == [False, False, False]
