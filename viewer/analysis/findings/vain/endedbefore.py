"""Who had ended before a wait in vain, though its work was what the wait is for."""

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Facts
from viewer.analysis.findings.basis.waits import LongWaits, users
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.resources.waits import GETS, PUTS, Wait
from viewer.analysis.states import stack_of
from viewer.trace.sites import own_frames, place_of
from viewer.words import code

_LONG_NS = 500_000_000
_SOON = 10  # a tenth of a wait
_LOOKED = 100  # states of a thread in which its function is looked for
_MOST = 1_000  # threads
_PLAIN = "<locals>"


def ended_before(facts: Facts, wait: Wait) -> str:
    """`; `worker`, which it created, had ended long before`; "" where that is unknown."""
    return _getters(facts, wait) or _worker(facts, wait) or _receivers(facts, wait)


def _getters(facts: Facts, wait: Wait) -> str:
    """`; `worker`, which it created, ended before`: whose work Queue.join waits for."""
    waits, (kind, task) = LongWaits.of(facts), wait.who
    if wait.name != "Queue.join" or kind != "task":
        return ""
    children: list[Who] = [("task", child) for child in facts.ledger.children_of(task)]
    found = {child for child in children if waits.ends_ns(child) < wait.end_ns - _LONG_NS}
    if not found:
        return ""
    return f"; {users(facts.model, found)}, created by it, had ended long before"


def _receivers(facts: Facts, wait: Wait) -> str:
    """`; `pump`, which had got what it sent, was cancelled (at 1.20 s)`: all who waited for
    items of whoever waits for room now, if they had ended as its wait began."""
    if wait.name not in PUTS:
        return ""
    waits = LongWaits.of(facts)
    found = {one.who for one in waits.all if one.name in GETS and one.ender == wait.who}
    ends_ns = [waits.ends_ns(who) for who in found]
    if not ends_ns or max(ends_ns) > wait.start_ns + wait.ns // _SOON:
        return ""
    hows = {facts.ledger.how_it_ended(which) for kind, which in found if kind == "task"}
    verb = "was" if len(found) == 1 else "were"
    how = f"{verb} cancelled" if hows == {s.CANCELLED} else "had ended"
    when = at(facts, max(ends_ns))
    return f"; {users(facts.model, found)}, which had got what it sent, {how} ({when})"


def _worker(facts: Facts, wait: Wait) -> str:
    """`; `exporter` had ended (at 12 ms), the last thread in `Exporter.run``: threads of the
    class whose method waits, none of which was there any more."""
    of = _class_of(wait.site)
    if wait.who[0] != "thread" or not of[1]:
        return ""
    waits, model, found = LongWaits.of(facts), facts.model, dict[int, str]()
    process = waits.process(wait.who)
    for thread in range(min(len(model.threads), _MOST)):
        is_other = model.thread_process[thread] == process and ("thread", thread) != wait.who
        if is_other and _class_of(frame := _runs(facts, thread)) == of:
            found[thread] = frame
    until_ns = wait.end_ns - _LONG_NS
    if not found or any(waits.ends_ns(("thread", one)) > until_ns for one in found):
        return ""
    last = max(found, key=lambda thread: waits.ends_ns(("thread", thread)))
    name, end_ns = model.thread_names[last], waits.ends_ns(("thread", last))
    return (
        f"; {code(name)} had ended ({at(facts, end_ns)}), the last thread in "
        f"{code(place_of(found[last]).function, found[last])}"
    )


def _class_of(site: str) -> tuple[str, str]:
    """The file and the class of a method; empty of another function."""
    place = place_of(site)
    name = place.function.rpartition(".")[0]
    return (place.path, name) if name and not name.endswith(_PLAIN) else ("", "")


def _runs(facts: Facts, thread: int) -> str:
    """The user's function that a thread was started with, by the stacks of what it did."""
    for row in facts.ledger.rows_of_threads.of(thread)[:_LOOKED]:
        if own := own_frames(stack_of(facts.model, row).split("\n")):
            return own[-1]
    return ""
