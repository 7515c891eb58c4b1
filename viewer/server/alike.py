"""Threads that differ only in a number: one per request, the workers of a pool."""

from tracer import schema as s
from viewer.analysis.ledger.ledger import Ledger
from viewer.trace.model import Model
from viewer.trace.sites import is_library, place_of
from viewer.words import stem

_LOOKED_AT = 64  # rows of a thread until one has a stack


def stems(model: Model) -> list[tuple[str, str]]:
    """By thread what its like have in common: the name with N for its numbers, and the
    user's function in which it began, "" if no stack of it was recorded."""
    return [
        (stem(track.thread_name), _entry(model, i)) for i, track in enumerate(model.threads)
    ]


def _entry(model: Model, thread: int) -> str:
    rows = Ledger.of(model).rows_of_threads
    low, high = rows.offset[thread], rows.offset[thread + 1]
    for place in range(low, min(high, low + _LOOKED_AT)):
        slice_ = model.states.slice[rows.row[place]]
        stack = model.trace.text_of_slice(slice_, s.ARG_STACK)
        own = [frame for frame in stack.split("\n") if not is_library(frame)]
        places = [found for frame in own if (found := place_of(frame)).path]
        if places:
            return f"{places[-1].path} {places[-1].function}"
    return ""
