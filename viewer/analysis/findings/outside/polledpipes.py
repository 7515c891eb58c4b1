"""Children that are asked again and again whether they have ended, while nobody reads what
they write."""

from collections import defaultdict
from collections.abc import Iterator

from tracer import schema as s
from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, SLEEP
from viewer.trace.reader import number_of
from viewer.trace.sites import is_library
from viewer.words import code

# Five pauses one after the other, half a second in all, in which no child ended; it ended by
# itself as soon as its output was read.
_PAUSES = 5
_SOON_NS = 50 * MS
_OUTPUT = " Popen._communicate"
_MOST = 10_000  # pauses and reads that are looked at
_READ = "Read the pipe while the child runs: `communicate(timeout=…)`, or a thread that reads."


def polled_pipes(facts: Facts) -> Iterator[Finding]:
    """A function sleeps until a child has ended that stands in a write meanwhile."""
    model, table = facts.model, facts.model.states
    if not facts.model.trace.instants(model.trace.events.name, s.CHILD_ENDED):
        return
    reads = [row for row in _calls(facts, (IO,)) if _reads_output(facts, row)]
    if not reads:
        return
    ends = _ends(facts)
    pauses = defaultdict[int, list[int]](list)
    for row in _calls(facts, (SLEEP,)):
        pauses[table.who[row]].append(row)
    by_line = defaultdict[tuple[int, str], list[list[int]]](list)
    since = dict[int, int]()
    for row in reads:
        thread, start = table.who[row], table.start_ns[row]
        before = since.get(thread, -1)
        since[thread] = table.end_ns[row]
        run = _run(facts, pauses[thread], before, start)
        run_start = table.start_ns[run[0]] if run else start
        lost = table.end_ns[run[-1]] - run_start if run else 0
        if (
            len(run) >= _PAUSES
            and lost >= LOST_NS
            and _ends_then(ends[thread], run_start, start)
        ):
            by_line[thread, facts.call(table.row[run[0]])[1]].append(run)
    for (thread, site), runs in by_line.items():
        worst = max(runs, key=lambda run: table.end_ns[run[-1]] - table.start_ns[run[0]])
        lost = sum(table.end_ns[run[-1]] - table.start_ns[run[0]] for run in runs)
        start, end = table.start_ns[worst[0]], table.end_ns[worst[-1]]
        text = (
            f"Full pipe: {code(model.thread_names[thread])}{place_in(site)} looked again and "
            f"again for the end of a child, {plural(sum(map(len, runs)), 'pause')}, "
            f"{duration(lost)} in total ({at(facts, start)}): the child writes to a pipe, "
            f"which was full and which nobody read until then. {_READ}"
        )
        evidence = facts.evidence(("thread", thread), start, end - start, site)
        yield Finding("full pipe", lost, text, evidence, processes=2)


def _ends(facts: Facts) -> dict[int, list[int]]:
    """By thread when it was told that a child had ended by itself."""
    trace, found = facts.model.trace, defaultdict[int, list[int]](list)
    for event in trace.instants(trace.events.name, s.CHILD_ENDED):
        thread = facts.model.threads.of_track[trace.events.track[event]]
        if not number_of(trace.args(event), s.ARG_SIGNAL, 0):
            found[thread].append(trace.events.time_ns[event])
    return found


def _ends_then(ends: list[int], since_ns: int, read_ns: int) -> bool:
    """Whether no child ended in the pauses, and one did soon after the read began."""
    after = [ns for ns in ends if since_ns <= ns <= read_ns + _SOON_NS]
    return bool(after) and min(after) >= read_ns


def _calls(facts: Facts, states: tuple[int, ...]) -> list[int]:
    """Rows of calls of user code or of `communicate`, in order of begin; none where there are
    too many."""
    rows = facts.rows_of(states, 0)
    return list(rows) if len(rows) <= _MOST else []


def _reads_output(facts: Facts, row: int) -> bool:
    name = facts.call(facts.model.states.row[row])[0]
    return name.endswith("read") and _OUTPUT in stack_of(facts.model, row)


def _run(facts: Facts, pauses: list[int], after_ns: int, until_ns: int) -> list[int]:
    """The pauses of one line before a read of the same function, one after the other."""
    table, found = facts.model.states, list[int]()
    for row in reversed(pauses):
        if table.start_ns[row] >= until_ns:
            continue
        last = found[-1] if found else -1
        limit = table.start_ns[last] if last >= 0 else until_ns
        same = last < 0 or table.row[row] == table.row[last]
        if table.start_ns[row] < after_ns or not same or limit - table.end_ns[row] > _SOON_NS:
            break
        found.append(row)
    site = facts.call(table.row[found[0]])[1] if found else ""
    return found[::-1] if site and not is_library(site) else []
