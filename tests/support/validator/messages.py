"""The validator's rules for messages between processes: numbers rise, and both ends agree."""

from collections import defaultdict
from itertools import pairwise

from tests.support.validator.strict import Event, Strict
from tracer import schema as s

type Ends = dict[str, Event]  # of a message: how it was sent, how it was received


def check_messages(trace: Strict) -> None:
    pipes: dict[int, dict[int, Ends]] = defaultdict(dict)
    for event in trace.events:
        if event.category != s.CAT_MESSAGE:
            continue
        pipe, number = event.args.get(s.ARG_PIPE), event.args.get(s.ARG_MESSAGE)
        assert isinstance(pipe, int), f"where? {event}"
        assert isinstance(number, int), f"which? {event}"
        assert trace.tracks[event.track].tid, f"whose? {event}"
        ends = pipes[pipe].setdefault(number, {})
        assert event.name not in ends, f"twice: {event} and {ends}"
        ends[event.name] = event
        since = event.args.get(s.ARG_SINCE, 0)
        assert isinstance(since, int), f"since when? {event}"
        assert since <= event.time_ns, f"waited since later: {event}"
    for messages in pipes.values():
        _check_pipe(messages)


def _check_pipe(messages: dict[int, Ends]) -> None:
    for ends in messages.values():
        sizes = {event.args[s.ARG_BYTES] for event in ends.values()}
        assert len(sizes) == 1, f"sent and received differ: {ends}"
    for name in (s.MESSAGE_SENT, s.MESSAGE_RECEIVED):
        in_order = [
            messages[number][name] for number in sorted(messages) if name in messages[number]
        ]
        for earlier, later in pairwise(in_order):
            assert earlier.time_ns <= later.time_ns, f"{later} before {earlier}"
