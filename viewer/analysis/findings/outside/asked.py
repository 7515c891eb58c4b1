"""A peer that a thread asks again and again, without a pause, until the answer is another."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from tracer.units import MS, duration, plural
from viewer.analysis.findings.basis.calls import size_read
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.repeated import counts_by_thread
from viewer.analysis.findings.basis.waits import inside, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.ledger.circles import Who
from viewer.trace.columns import IDLE_WAIT, IO, SLEEP, STATE_MASK
from viewer.trace.sites import is_library
from viewer.words import stem

_READS = ("socket.recv", "socket.recv_into", "ssl.SSLSocket.read")
_SENDS = ("socket.send", "socket.sendall", "ssl.SSLSocket.write")
# A hundred answers, one in 20 ms: a peer that lets the asker wait for longer paces it.
_LEAST = 100
_EACH_NS = 20 * MS
_LOST_NS = 1_000 * MS
# Twenty answers of the sizes of the first few, three times, or a hundred once, and then one
# of another size, after which the thread does something else. Numbers that count up grow, too,
# but not where the first ones are as long as the last. A full page before the last is larger,
# and so is each block before the rest, by any part of it; the words for two states differ by
# little beside the headers of an answer.
_RUN, _RUNS, _LONG_RUN = 20, 3, 100
_FIRST, _LAST = 16, 3  # the first sixteenth; the last three
_SETTLED = 10  # after so many reads a line that is new does something else
_SIZES, _LARGEST_BYTES = 3, 1_024
_WORD_BYTES, _HEADERS = 128, 8
# What it asks with is mostly too short to be recorded, but not each time: of 2,700 questions
# 500 were on one busy machine, of 3,400 quick ones 76.
_SENT = 100
_MOST, _LOOKED = 30_000, 60


class _Answers(Enum):
    DIFFER = auto()
    ALIKE = auto()
    LAST_DIFFERS = auto()


@dataclass(slots=True)
class _Run:
    """Reads with nothing between but calls at lines that the first ones knew."""

    sites: set[str] = field(default_factory=set)
    rows: list[int] = field(default_factory=list)  # of States


def asks_again(facts: Facts) -> Iterator[Finding]:
    """Threads that wait for a change by asking for it as fast as they can."""
    alike = defaultdict[tuple[str, str], list[tuple[int, _Run]]](list)
    changed = set[tuple[str, str]]()
    for thread, runs in _runs(facts, _reads(facts)).items():
        long = [(run, _answers(facts, run.rows)) for run in runs if len(run.rows) > _RUN]
        until = [run for run, how in long if how is _Answers.LAST_DIFFERS]
        is_clear = len(until) >= _RUNS or any(len(run.rows) > _LONG_RUN for run in until)
        for run, how in long:
            site = facts.call(facts.model.states.row[run.rows[0]])[1]
            line = stem(facts.model.thread_names[thread]), site
            if is_clear and run in until:
                changed.add(line)
            if how is not _Answers.DIFFER:
                alike[line].append((thread, run))
    for line in changed:  # the last answer of another thread may not have been recorded
        (_, site), found = line, alike[line]
        read = sum(len(run.rows) for _, run in found)
        lost = sum(_ns(facts, run) for _, run in found)
        if lost >= _LOST_NS and read >= _LEAST and lost <= read * _EACH_NS:
            yield _finding(facts, site, found, read, lost)


def _reads(facts: Facts) -> set[tuple[int, int]]:
    """The reads, by thread and call, of threads that also send."""
    reads = counts_by_thread(facts, IO, _LEAST, _READS, _EACH_NS)
    if not reads:
        return set()
    sent = Counter[int]()
    for (thread, _), count in counts_by_thread(facts, IO, 1, _SENDS).items():
        sent[thread] += count
    return {
        (thread, call)
        for (thread, call), count in reads.items()
        if not is_library(facts.call(call)[1])
        and thread not in facts.ledger.lane_of_thread
        and sent[thread] * _SENT >= count
    }


def _runs(facts: Facts, reads: set[tuple[int, int]]) -> dict[int, list[_Run]]:
    """By thread the runs of answers, between which it did something else."""
    table, found = facts.model.states, defaultdict[int, list[_Run]](list)
    if not reads:
        return found
    asking, threads = {thread for thread, _ in reads}, range(len(facts.model.threads))
    is_asking = memoryview(bytes(thread in asking for thread in threads))
    every = facts.rows_of((IO, SLEEP, IDLE_WAIT), 0)
    running, sites = dict[int, _Run | None](), dict[int, str]()
    for row in facts.model.trace.engine.pick(every, table.who, is_asking)[:_MOST]:
        thread, call = table.who[row], table.row[row]
        if table.state[row] & STATE_MASK != IO:
            running[thread] = None
            continue
        site = sites.get(call) or sites.setdefault(call, facts.call(call)[1])
        run = running.get(thread)
        if run and site not in run.sites and len(run.rows) >= _SETTLED:
            run = running[thread] = None
        if (thread, call) not in reads:
            continue
        if run is None:
            run = running[thread] = _Run()
            found[thread].append(run)
        run.sites.add(site)
        run.rows.append(row)
    return found


def _answers(facts: Facts, rows: list[int]) -> _Answers:
    """Whether all answers had a size that the first ones had, or all but the last."""
    first = rows[: max(_LAST, len(rows) // _FIRST)]
    usual = {size for row in _some(first) if (size := size_read(facts, row)) >= 0}
    if not 0 < len(usual) <= _SIZES or max(usual) > _LARGEST_BYTES:
        return _Answers.DIFFER
    between = (size_read(facts, row) for row in _some(rows[len(first) : -_LAST]))
    if any(size >= 0 and size not in usual for size in between):
        return _Answers.DIFFER
    last = [size_read(facts, row) for row in rows[-_LAST:]]
    least = 1 if max(usual) < _WORD_BYTES else min(usual) - min(usual) // _HEADERS
    is_other = any(size >= least and size not in usual for size in last)  # 0: a stream's end
    return _Answers.LAST_DIFFERS if is_other else _Answers.ALIKE


def _some(rows: list[int]) -> list[int]:
    return rows[:: max(1, len(rows) // _LOOKED)]


def _ns(facts: Facts, run: _Run) -> int:
    table = facts.model.states
    return table.end_ns[run.rows[-1]] - table.start_ns[run.rows[0]]


def _finding(
    facts: Facts, site: str, found: list[tuple[int, _Run]], read: int, lost: int
) -> Finding:
    thread, longest = max(found, key=lambda one: _ns(facts, one[1]))
    whos: set[Who] = {("thread", one) for one, _ in found}
    ns, start = _ns(facts, longest), facts.model.states.start_ns[longest.rows[0]]
    poll, ask = ("polls", "it asks") if len(whos) == 1 else ("poll", "they ask")
    text = (
        f"{users(facts.model, whos)} {poll}{place_in(site)}: {ask} without a pause, until the "
        f"answer has another size: {read:,} reads, one every {duration(lost // read)}, in "
        f"{plural(len(found), 'such wait')}, {in_total(facts, lost, ns, start)}"
    )
    step = (
        "Let it be told (a blocking call such as `BLPOP`, a subscription, a long poll), or "
        "pause between attempts, longer each time (`Retry-After` says how long)."
    )
    about = frozenset((inside(facts.model.thread_names[thread], site),))
    evidence = facts.evidence(("thread", thread), start, ns, site)
    return Finding("busy loop", lost, f"{text}.", evidence, step, about=about)
