"""Reads from a trace what every thread and task was doing at a moment."""

from viewer.analysis.dump.behind import resolved
from viewer.analysis.dump.covering import Covering
from viewer.analysis.dump.entry import Dump
from viewer.analysis.dump.tasks import task_entries
from viewer.analysis.dump.threads import thread_entries
from viewer.analysis.health import health
from viewer.trace.model import Model

_NEEDED = {
    "tasks": "tasks were not recorded",
    "gil": "what threads did between their waits was not recorded",
    "locks": "waits for locks were not recorded",
    "io": "blocking calls were not recorded",
}


def dump(model: Model, at_ns: int) -> Dump:
    """The threads and tasks that were alive at that moment of the trace's own time."""
    covering = Covering(model, at_ns)
    threads = thread_entries(model, covering)
    tasks = task_entries(model, covering, [entry for entry, _ in threads])
    entries = resolved(covering, [*threads, *tasks])
    return Dump(at_ns, model.start_ns, entries, _remarks(model, at_ns))


def _remarks(model: Model, at_ns: int) -> tuple[str, ...]:
    """Why something may be missing."""
    of = health(model)
    found = [text for signal, text in _NEEDED.items() if signal not in of.signals]
    if any(since <= at_ns <= until for _, since, until in model.remarks.drops()):
        found.append("events were dropped then: threads and tasks may be missing")
    return tuple(found)
