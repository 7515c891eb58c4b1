"""Descriptors that pile up: files and connections that are opened and never closed."""

from array import array
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

from tracer import schema as s
from tracer.units import duration, plural
from viewer.analysis.findings.facts import Evidence, Facts, Finding
from viewer.analysis.findings.words import at
from viewer.analysis.states import numbers
from viewer.trace.columns import IO, STATE_MASK
from viewer.trace.sites import place_of
from viewer.words import code

# A pool that fills, or the clients of one burst, come all at once: a leak grows in each eighth
# of its time, as leaking tasks do. Fifty descriptors are more than a start-up opens. A program
# that ends may close what was left; a file that is read for a moment does not count.
_MANY = 50
_WINDOWS = 8
_GROWS_NS = 500_000_000
_DIP = 20  # a twentieth of the growth
_OPENS = (".connect", ".connect_ex", ".accept", "io.open", "os.open", "sqlite3.connect",
          "fork_exec")  # fmt: skip


def descriptors_pile_up(facts: Facts) -> Iterator[Finding]:
    """The number of open descriptors of a process grows and grows."""
    for process, every in _counts(facts).items():
        counts = _without_the_end(every)
        since, until = counts[0][0], counts[-1][0]
        if until - since < _GROWS_NS or counts[-1][1] - counts[0][1] < _MANY:
            continue
        marks = [since + (until - since) * n // _WINDOWS for n in range(_WINDOWS + 1)]
        found, now = [], 0
        for mark in marks:
            while now + 1 < len(counts) and counts[now + 1][0] <= mark:
                now += 1
            found.append(counts[now][1])
        dip = (counts[-1][1] - counts[0][1]) // _DIP
        if all(a <= b + dip for a, b in pairwise(found)) and _grows(counts):
            yield _finding(facts, process, counts)


def _without_the_end(counts: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The counts up to the highest one, if that comes in the last eighth of the time."""
    (since, _), (until, _) = counts[0], counts[-1]
    most = max(range(len(counts)), key=lambda n: (counts[n][1], n))
    is_late = (until - counts[most][0]) * _WINDOWS <= until - since
    return counts[: most + 1] if is_late else counts


def _grows(counts: list[tuple[int, int]]) -> bool:
    """Whether no quarter of the growth came at once: half of it each in half of the time."""
    (since, first), (until, last) = counts[0], counts[-1]
    middle = max(n for at_ns, n in counts if at_ns <= (since + until) // 2)
    return (last - first) <= 4 * min(middle - first, last - middle)


def _counts(facts: Facts) -> dict[int, list[tuple[int, int]]]:
    """By process the (time, descriptors), in order of time."""
    trace, found = facts.model.trace, dict[int, list[tuple[int, int]]]()
    events = trace.events
    tracks = {
        n: process
        for n in trace.tracks.named(s.COUNTER_FILES)
        if (process := trace.track_process[n]) >= 0
        and trace.tracks[events.uuids[n]].parent_uuid == trace.processes[process].uuid
    }
    if not tracks:
        return found
    mark = numbers(int(n in tracks) for n in range(len(events.uuids)))
    chosen = trace.engine.gather(events.counter_event, events.track, mark)
    every = memoryview(array("i", range(len(events.counter_event))))
    for row in trace.engine.pick(every, chosen, memoryview(b"\0\1")):
        event = events.counter_event[row]
        counted = events.time_ns[event], events.counter_value[row]
        found.setdefault(tracks[events.track[event]], []).append(counted)
    return found


def _finding(facts: Facts, process: int, counts: list[tuple[int, int]]) -> Finding:
    model, (since, first), (until, last) = facts.model, counts[0], counts[-1]
    opened = _opened(facts, process, since, until)
    least = (last - first) // _WINDOWS  # what opened less is not to blame
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
    named = bytes(model.trace.text(name).endswith(_OPENS) for name in table.call_name)
    found, last = Counter[tuple[str, str]](), dict[tuple[str, str], int]()
    if 1 not in named:
        return found
    for row in model.trace.engine.pick(facts.rows_of((IO,), 0), table.row, memoryview(named)):
        is_meanwhile = since <= table.start_ns[row] <= until
        if is_meanwhile and model.thread_process[table.who[row]] == process:
            call = facts.call(table.row[row])
            found[call] += table.state[row] & STATE_MASK == IO
            last[call] = table.start_ns[row]
    found.pop(("", ""), None)
    # Of those that were made as often, the one that went on for longest comes first.
    return Counter({call: found[call] for call in sorted(found, key=lambda call: -last[call])})
