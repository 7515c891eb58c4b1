"""Tasks that wait for room in what is sent to a connection."""

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Facts

SEND = f"{s.AWAIT_PREFIX}send ("  # of a library
DRAIN = " FlowControlMixin._drain_helper"  # of asyncio's streams


def is_for_room(facts: Facts, i: int) -> bool:
    """Whether an await (slice) ends when the other side has read."""
    what = facts.awaited(i)[0]
    if what.startswith(SEND):
        return True
    is_stream = what == f"{s.AWAIT_PREFIX}socket"
    return is_stream and DRAIN in facts.model.trace.text_of_slice(i, s.ARG_STACK)
