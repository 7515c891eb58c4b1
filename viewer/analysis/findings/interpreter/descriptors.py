"""Descriptors that pile up: files and connections that are opened and never closed."""

from collections import Counter
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.words import at
from viewer.analysis.findings.interpreter.growth import Counts, counts_of, growing, of_process
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, STATE_MASK
from viewer.trace.sites import imports, is_library, place_of
from viewer.words import code

# Fifty descriptors are more than a start-up opens. A file that is read for a moment does not
# count.
_MANY = 50
# Who comes and stays has a task or thread of his own, which ends by itself later, and a
# connection, whose two ends may both be in the process: no leak, but a test that begins.
_ENDS_OF_EACH = 3
_SHARE = 8  # what opened less than such a part of the growth is not to blame
_OPENS = ("connect", ".connect_ex", ".accept", "io.open", "os.open", "fork_exec")


def descriptors_pile_up(facts: Facts) -> Iterator[Finding]:
    """The number of open descriptors of a process grows and grows."""
    for process, every in counts_of(facts, of_process(facts, s.COUNTER_FILES)).items():
        # It is told only as it changes: after the last one it stayed as it was.
        end_ns = facts.model.trace.processes[process].end_ns
        counts = growing([*every, (end_ns, every[-1][1])], _MANY)
        if counts and not _are_in_use(facts, process, counts):
            yield _finding(facts, process, counts)


def _are_in_use(facts: Facts, process: int, counts: Counts) -> bool:
    """Whether tasks or threads that began meanwhile, a third as many as the descriptors, end
    by themselves after that."""
    (since, first), (until, last) = counts[0], counts[-1]
    model, owned, table = facts.model, facts.model.owners, facts.model.states
    starts_ns, rows = model.trace.slices.start_ns, facts.ledger.rows_of_tasks
    tasks = [
        task
        for task, head in enumerate(owned.task_head)
        if owned.task_process[task] == process
        and since <= starts_ns[head] <= until <= rows.last_ns(task)
    ]
    end_ns = model.trace.processes[process].end_ns
    threads = sum(
        of == process and since <= table.first_ns[n] <= until < table.last_ns[n] < end_ns
        for n, of in enumerate(model.thread_process)
    )
    users = len(facts.ledger.ended_so(tasks, s.DONE)) + threads
    return users * _ENDS_OF_EACH >= last - first


def _finding(facts: Facts, process: int, counts: Counts) -> Finding:
    model, (since, first), (until, last) = facts.model, counts[0], counts[-1]
    opened = _opened(facts, process, since, until)
    least = (last - first) // _SHARE
    who = [
        f"{code(place_of(site).function, site)} called `{name}` {plural(times, 'time')}"
        for (name, site), times in opened.most_common(2)
        if times >= least
    ]
    where = f" Meanwhile {' and '.join(who)}, or more." if who else _short_ones(opened)
    text = (
        f"Descriptors pile up: {first:,} files and connections were open "
        f"{at(facts, since)}, {last:,} after {duration(until - since)}, and the number rose "
        f"all the time.{where} Close what is opened: use `with`, or keep one client or "
        f"session and use it again."
    )
    site = opened.most_common(1)[0][0][1] if opened else ""
    evidence = Evidence(since, until - since, "", site=site, pid=model.pid(process))
    return Finding("descriptors pile up", 0, text, evidence)


def _short_ones(opened: Counter[tuple[str, str]]) -> str:
    """Who most likely opened them, where hardly any of these calls took long enough."""
    if not opened:
        return ""
    ((name, site), times), total = opened.most_common(1)[0], opened.total()
    return (
        f" Short calls are not in the trace: of the {plural(total, 'call')} that opened "
        f"something and took longer, {times} {'was' if times == 1 else 'were'} `{name}` in "
        f"{code(place_of(site).function, site)}."
    )


def _opened(facts: Facts, process: int, since: int, until: int) -> Counter[tuple[str, str]]:
    """The calls that opened something in a time, and how often: those in the trace."""
    model, table = facts.model, facts.model.states
    found, last = Counter[tuple[str, str]](), dict[tuple[str, str], int]()
    for row in facts.calls_named(_OPENS):
        is_meanwhile = since <= table.start_ns[row] <= until
        if is_meanwhile and model.thread_process[table.who[row]] == process:
            if imports(stack_of(model, row)):
                continue  # files of modules, which are closed at once
            name, site = facts.call(table.row[row])
            if is_library(site):  # which has a thread for it
                site = facts.started_at(table.who[row]) or site
            call = name, site
            found[call] += table.state[row] & STATE_MASK == IO
            last[call] = table.start_ns[row]
    found.pop(("", ""), None)
    # Of those that were made as often, the one that went on for longest comes first.
    return Counter({call: found[call] for call in sorted(found, key=lambda call: -last[call])})
