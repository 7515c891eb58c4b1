"""Blocking calls that waited until another recorded process wrote: who wrote, where, and how
long that took."""

from typing import NamedTuple

from viewer.analysis.causes.elsewhere import Elsewhere
from viewer.trace.model import Model


class Writer(NamedTuple):
    """A thread that wrote at one line, and for how long in all it was waited for."""

    process: int
    who: str
    site: str
    count: int  # type: ignore[assignment]
    ns: int


def writers_of_calls(model: Model) -> dict[int, tuple[Writer, ...]]:
    """By row of the table of calls, the one waited for longest first."""
    elsewhere, table = Elsewhere.of(model), model.states
    times = dict[int, dict[tuple[int, str], list[int]]]()
    for row, number in elsewhere.message_of_row.items():
        by, start_ns = elsewhere.written(number), table.start_ns[row]
        waited_ns = min(table.end_ns[row], elsewhere.messages[number].sent_ns) - start_ns
        if waited_ns > 0:
            known = times.setdefault(table.row[row], {})
            known.setdefault((by.thread, by.site), []).append(waited_ns)
    return {
        call: tuple(
            sorted(
                (
                    Writer(
                        model.thread_process[thread],
                        model.thread_names[thread],
                        site,
                        len(each),
                        sum(each),
                    )
                    for (thread, site), each in known.items()
                ),
                key=lambda writer: (-writer.ns, writer.who, writer.site),
            )
        )
        for call, known in times.items()
    }
