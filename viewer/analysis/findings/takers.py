"""Who has the slots for which others wait in vain: as the trace says, or by what they did."""

import re
from collections.abc import Iterable

from tracer import schema as s
from viewer.analysis.findings.databases import awaits_of
from viewer.analysis.findings.facts import Facts
from viewer.analysis.findings.waits import LongWaits, Wait, name_of
from viewer.analysis.ledger.circles import Who
from viewer.analysis.waited import package_of
from viewer.trace.columns import IO
from viewer.words import code

_TASK = re.compile(r"\((\d+)\)(?:, |$)")
_MANY = 8  # more who used a pool than that may all have given back
_NETWORK = ("socket.", "ssl.", "select.", "send", "recv", "poll", "connect")
_AFTER_NS = 1_000_000_000  # a task that was cancelled longer ago is not to blame


def said(facts: Facts, waits: Iterable[Wait]) -> set[Who]:
    """The tasks that had the slots when these waits began, where the trace says so."""
    found = set[Who]()
    for wait in waits:
        trace = facts.model.trace
        held = str(trace.args(trace.slices.event[wait.slice]).get(s.ARG_HOLDERS, ""))
        process = LongWaits.of(facts).process(wait.who)
        tasks = (facts.ledger.task_of(process, int(id_)) for id_ in _TASK.findall(held))
        found |= {("task", task) for task in tasks if task >= 0}
    return found


def parents(facts: Facts, waits: list[Wait]) -> set[Who]:
    """The creators of tasks that wait, if they run the same function and wait for these.

    Whoever is further in a function has passed the line at which the others wait.
    """
    owned, ledger, found = facts.model.owners, facts.ledger, set[Who]()
    waiting = {wait.who for wait in waits}
    for wait in waits:
        kind, task = wait.who
        if kind != "task":
            return set()
        parent = ledger.task_of(owned.task_process[task], owned.task_parent[task])
        is_same = parent >= 0 and owned.task_group[parent] == owned.task_group[task]
        lives = is_same and LongWaits.of(facts).ends_ns(("task", parent)) >= wait.end_ns
        if not lives or ("task", parent) in waiting:
            return set()
        found.add(("task", parent))
    return found


def used_last(facts: Facts, waits: list[Wait]) -> set[Who]:
    """Those who used a library's pool before all who wait for it in vain did, if few did."""
    package = package_of(waits[0].name)
    if not package:
        return set()
    model, table = facts.model, facts.model.states
    before = min(wait.start_ns for wait in waits)
    own = {wait.who for wait in waits}
    found = set[Who]()
    part = f"-packages/{package}/"
    for row in facts.rows_of((IO,), 0):
        name = facts.call(table.row[row])[0]
        if table.start_ns[row] < before and name.startswith(_NETWORK):
            stack = model.trace.text_of_slice(table.slice[row], s.ARG_STACK)
            if part in stack and facts.on_loop_at(table.who[row], table.start_ns[row]) < 0:
                found.add(("thread", table.who[row]))
    for i in awaits_of(facts, s.AWAIT_PREFIX):
        what = facts.model.trace.text(model.owners.code[i]).removeprefix(s.AWAIT_PREFIX)
        if model.trace.slices.start_ns[i] < before and package_of(what) == package:
            found.add(("task", model.owners.owner[i]))
    found -= own
    return found if len(found) <= _MANY else set()


def cancelled_before(facts: Facts, waits: list[Wait]) -> str:
    """` `refresh` was cancelled before`: who may have had it; "" where nobody was, or many."""
    model, until = facts.model, max(wait.start_ns for wait in waits)
    own, found = {wait.who for wait in waits}, set[str]()
    for task in range(len(model.owners.task_id)):
        who: Who = ("task", task)
        end = LongWaits.of(facts).ends_ns(who)
        is_near = until - _AFTER_NS <= end <= until + _AFTER_NS and who not in own
        if is_near and facts.ledger.how_it_ended(task) == s.CANCELLED:
            found.add(code(name_of(model, who)))
    return " and ".join(sorted(found)) if 0 < len(found) <= 2 else ""
