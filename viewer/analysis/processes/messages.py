"""Messages between processes that somebody waited for: who wrote each, and when.

A message is known by the pipe at whose end it is read and by its number there; both are the
same in the process that wrote it and in the one that read it.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple, Self

from tracer import schema as s
from viewer.trace.model import Model
from viewer.trace.processes import Arg, number_of
from viewer.trace.sites import head

_PUT = re.compile(r"\S*multiprocessing/queues\.py:\d+ (Joinable)?Queue\.put(\n|$)")


class Message(NamedTuple):
    """One message. `sender` and `receiver` are threads; `since_ns` is when the receiver began
    to wait; `before_ns` when the sender had written its message before, 0: it was the first.
    `is_put`: a queue's own thread wrote it, and `site` is where it was put into the queue.
    """

    sender: int
    sent_ns: int
    before_ns: int
    site: str
    receiver: int
    since_ns: int
    received_ns: int
    size_bytes: int
    is_put: bool = False


class Messages:
    """The messages of which a trace has both ends, in the order in which they were read."""

    def __init__(self, model: Model) -> None:
        self.model = model
        sent = {key: (event, args) for key, event, args in self._all(s.MESSAGE_SENT)}
        found = [
            self._message(*sent[key], event, args)
            for key, event, args in self._all(s.MESSAGE_RECEIVED)
            if key in sent
        ]
        known = (one for one in found if one.sender >= 0 <= one.receiver)
        self.all = tuple(sorted(known, key=lambda one: one.received_ns))

    @classmethod
    def of(cls, model: Model) -> Self:
        """The model's messages, found on their first use."""
        return model.derive(cls, lambda: cls(model))

    def _all(self, name: str) -> Iterator[tuple[tuple[int, int], int, dict[str, Arg]]]:
        trace = self.model.trace
        for event in trace.instants(trace.events.name, name):
            if trace.text(trace.events.category[event]) == s.CAT_MESSAGE:
                args = trace.args(event)
                key = number_of(args, s.ARG_PIPE, -1), number_of(args, s.ARG_MESSAGE, -1)
                yield key, event, args

    def _thread(self, event: int) -> int:
        return self.model.threads.of_track[self.model.trace.events.track[event]]

    def _message(
        self, sent: int, said: dict[str, Arg], received: int, told: dict[str, Arg]
    ) -> Message:
        times, stack = self.model.trace.events.time_ns, str(said.get(s.ARG_STACK, ""))
        return Message(
            self._thread(sent),
            times[sent],
            number_of(said, s.ARG_SINCE),
            head(stack) or str(said.get(s.ARG_SITE, "")),
            self._thread(received),
            number_of(told, s.ARG_SINCE, times[received]),
            times[received],
            number_of(told, s.ARG_BYTES),
            _PUT.match(stack) is not None,
        )
