"""Records of messages between processes become instants, and an arrow that both ends know."""

import struct

from tests.support.records import MAIN, Script
from tests.support.validator.strict import Event, read_strict
from tracer import _core
from tracer import schema as s

SENT, RECEIVED = range(2)
PIPE, MESSAGE = 12, 2 << 32 | 3
SAME = {s.ARG_PIPE: PIPE, s.ARG_MESSAGE: MESSAGE, s.ARG_BYTES: 5}


def end(flag: int, ns: int, since: int, at: int, message: int = MESSAGE) -> Event:
    """One end, alone in a process."""
    details = struct.pack("<3Q2I", 5, since, at, 0, 0)
    script = Script([])
    kind = _core.RECORD_KINDS["MESSAGE"]
    script.records.append((MAIN, ns, kind, flag, 0, PIPE, message, details))
    events = read_strict(script.data()).events
    (found,) = (event for event in events if event.category == s.CAT_MESSAGE)
    return found


def test_sent() -> None:
    """It is told when it was written, as of when writing began."""
    sent = end(SENT, 9_000, 4_000, 7_000)
    assert (sent.name, sent.time_ns) == (s.MESSAGE_SENT, 7_000)
    assert sent.args == SAME | {s.ARG_SINCE: 4_000, s.ARG_SENDING: 2_000}
    assert len(sent.flows) == 1


def test_first_one_of_a_thread() -> None:
    """It has written none before."""
    assert s.ARG_SINCE not in end(SENT, 9_000, 0, 7_000).args


def test_received() -> None:
    received = end(RECEIVED, 9_000, 4_000, 8_500)
    assert (received.name, received.time_ns) == (s.MESSAGE_RECEIVED, 8_500)
    assert received.args == SAME | {s.ARG_SINCE: 4_000}


def test_both_know_the_arrow() -> None:
    sent, received = end(SENT, 9_000, 0, 7_000), end(RECEIVED, 9_500, 4_000, 9_400)
    assert sent.flows == received.ends_flows
    assert sent.flows != end(SENT, 9_000, 0, 7_000, MESSAGE + 1).flows
