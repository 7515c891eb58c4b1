"""What processes were told of the ends of their children."""

from operator import neg
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.ledger.rows import joined, longs
from viewer.analysis.processes.notes import notes
from viewer.analysis.states import numbers
from viewer.trace.columns import Column
from viewer.trace.model import Model
from viewer.trace.told import UNKNOWN, known


class Ended(NamedTuple):
    """What the parent was told of a child's end: an exit code or a signal, else None."""

    thread: int
    time_ns: int
    status: int | None
    signal: int | None


class Ends:
    """The ends of children that their parents were told of, in order of time."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.noted, told = notes(model, s.CHILD_ENDED)
        self.status = told.numbers(s.ARG_STATUS, UNKNOWN)
        self.signal = told.numbers(s.ARG_SIGNAL, UNKNOWN)

    def told(self, row: int) -> Ended:
        status, ended_by = known(self.status[row]), known(self.signal[row])
        return Ended(self.noted.thread[row], self.noted.time_ns[row], status, ended_by)

    def first_of(self, order: Column, reaper: Column, known_as: Column) -> Column:
        """By process the row of the first end since its begin that its reaper was told of; -1
        none, and of what became another program."""
        engine, processes = self._model.trace.engine, self._model.trace.processes
        asked = numbers(i for i in reversed(order) if i not in processes.replaced)
        # From the last one on: the first that is not earlier is then the latest so far.
        back = numbers(range(len(self.status) - 1, -1, -1))

        def both(noted: Column, of: Column) -> Column:
            return joined(engine.take(noted, back, -1), engine.take(of, asked, -1))

        keys = engine.pairs(both(self.noted.pid, known_as), both(self.noted.process, reaper))
        key, key_asked = keys.number[: len(back)], keys.number[len(back) :]
        times, since = (
            longs(map(neg, engine.take(column, of, 0)))
            for column, of in ((self.noted.time_ns, back), (processes.start_ns, asked))
        )
        found = engine.latest(times, key, since, key_asked, len(keys.head))
        nothing = memoryview(bytes(8 * len(asked))).cast("q")
        place = engine.spans(nothing, asked, len(known_as)).first
        return engine.take(engine.take(back, found, -1), place, -1)
