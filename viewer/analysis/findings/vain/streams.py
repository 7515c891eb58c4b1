"""Streams from which nobody reads, and of which both ends read."""

from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from tracer import schema as s
from tracer.units import MS, plural
from viewer.analysis.causes.part import GIVEN_UP, Kind
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import LongWaits, place_in, users
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.outside.fullpipes import other_stream
from viewer.analysis.findings.processes.forked import dead_servers
from viewer.analysis.ledger.circles import Who
from viewer.analysis.ledger.resource import covers
from viewer.analysis.resources.reading import awaits_of
from viewer.analysis.resources.waits import longest_slices
from viewer.analysis.states import mentioned
from viewer.trace.columns import AWAIT
from viewer.trace.sites import is_library, place_of

# Half a second in all. Whoever gave up has opened the connection: a server that gives up only
# ends an idle one. The other one began as that was opened, waits for four fifths of that time,
# and ends as it is closed. Which socket is whose is not recorded: it is known by these times.
_LONG_NS = 100 * MS
_COVERED = 8, 10
_CLOSED_NS = 50 * MS
_OPENED_NS = 100 * MS
_LISTENS = 3  # who got something so often at that line waits for what comes when it likes
_MOST = 2_000
_SOCKET = f"{s.AWAIT_PREFIX}socket"
_OPENS = (" open_connection", " open_unix_connection", " connect_tcp", " connect_unix",
          " open_tcp_stream", ".create_connection")  # fmt: skip
_READS = ("_wait_for_data", ".receive", ".recv")


class _Read(NamedTuple):
    """A task reads from a stream."""

    slice: int
    task: int
    start_ns: int
    end_ns: int
    site: str
    is_vain: bool
    is_open: bool


def both_read(facts: Facts) -> Iterator[Finding]:
    """Who has connected waits for an answer, and who serves it for the rest of a request."""
    if not mentioned(facts.model, *_OPENS):
        return
    reads = _reads(facts)
    vain = [read for read in reads if read.is_vain]
    clients = _clients(facts, {read.task for read in vain}) if vain else {}
    pairs: dict[tuple[str, str], list[tuple[_Read, list[_Read]]]] = defaultdict(list)
    for read in vain:
        opened = clients.get(read.task, [])
        is_client = opened and not _listens(facts, read)
        others = _other_ends(facts, reads, read, opened) if is_client else []
        if others:
            pairs[read.site, others[0].site].append((read, others))
    for found in pairs.values():
        ones = [read for read, _ in found]
        ends = {other.slice: other for _, others in found for other in others}
        lost = sum(read.end_ns - read.start_ns for read in ones)
        if lost >= LOST_NS and len(ends) == len(ones):
            yield _both(facts, ones, list(ends.values()), lost)


def _reads(facts: Facts) -> list[_Read]:
    """The long ones, in order of their ends."""
    trace, owner, waits = facts.model.trace, facts.model.owners.owner, LongWaits.of(facts)
    slices, found = trace.slices, list[_Read]()
    for i in awaits_of(facts, _SOCKET)[: _MOST * 50]:
        start_ns, end_ns = slices.start_ns[i], slices.end_ns[i]
        if end_ns - start_ns < _LONG_NS or len(found) >= _MOST:
            continue
        if not any(name in facts.stack(i) for name in _READS):
            continue
        is_open = bool(slices.unfinished[i])
        is_vain = is_open or waits.gave_up(owner[i], i)
        site = facts.awaited(i)[1]
        found.append(_Read(i, owner[i], start_ns, end_ns, site, is_vain, is_open))
    return sorted(found, key=lambda read: read.end_ns)


def _clients(facts: Facts, tasks: set[int]) -> dict[int, list[int]]:
    """The awaits in which tasks of these opened a connection themselves."""
    found = dict[int, list[int]]()
    for task, awaits in facts.awaits(tasks).items():
        for i in awaits:
            if any(opens in facts.stack(i) for opens in _OPENS):
                found.setdefault(task, []).append(i)
    return found


def _listens(facts: Facts, read: _Read) -> bool:
    awaits = facts.awaits_of_task(read.task)
    return sum(facts.awaited(i)[1] == read.site for i in awaits) > _LISTENS


def _other_ends(
    facts: Facts, reads: list[_Read], read: _Read, opened: list[int]
) -> list[_Read]:
    """Those that go on meanwhile and end as this one was given up, all at one line: of as many
    that were given up, each has one of them at its other end."""
    waits, slices = LongWaits.of(facts), facts.model.trace.slices
    found = [
        other
        for other in reads
        if other.task != read.task
        and any(
            slices.start_ns[i] <= waits.begins_ns(("task", other.task))
            and waits.begins_ns(("task", other.task)) <= slices.end_ns[i] + _OPENED_NS
            for i in opened
        )
        and (other.is_open if read.is_open else not other.is_vain)
        and 0 <= other.end_ns - read.end_ns <= _CLOSED_NS
        and (min(other.end_ns, read.end_ns) - max(other.start_ns, read.start_ns)) * _COVERED[1]
        >= (read.end_ns - read.start_ns) * _COVERED[0]
    ]
    sites = {other.site for other in found}
    return found if len(sites) == 1 and read.site not in sites else []


def _both(facts: Facts, ones: list[_Read], others: list[_Read], lost: int) -> Finding:
    worst, other = max(ones, key=lambda read: read.end_ns - read.start_ns), others[0]
    ns = worst.end_ns - worst.start_ns
    one: list[Who] = [("task", read.task) for read in ones]
    two: list[Who] = [("task", read.task) for read in others]
    many = len(ones) > 1
    wait = "wait" if many else "waits"
    text = (
        f"Waited in vain: {users(facts.model, one)}{place_in(worst.site)} {wait} in "
        f"{_how(facts, worst)}, while {users(facts.model, two)}{place_in(other.site)}, most "
        f"likely at the other end, {wait} in {_how(facts, other)}, each for the other to "
        f"send, until {'the first gave up' if not worst.is_open else 'the end of the trace'}: "
        f"{plural(len(ones), 'wait')}, {in_total(facts, lost, ns, worst.start_ns)}. If an "
        f"answer was due, send what the other end still waits for (a newline, the whole "
        f"length, `write_eof`), or let it answer before."
    )
    return Finding("wait in vain", lost, text, facts.evidence_of_await(worst.slice))


def _how(facts: Facts, read: _Read) -> str:
    """`readline`: what the program called."""
    frames = facts.stack(read.slice).split("\n")
    called = "read"
    for frame in frames:
        if not is_library(frame):
            break
        function = place_of(frame).function
        if function.startswith("StreamReader.") or "." in function:
            called = function.rpartition(".")[2]
    return f"`{called}`"


# Half a second was lost at one line, where each wait of a tenth of that ended so, or was far
# shorter: a reader that is only slow would have made room.
_DRAIN_LONG_NS = 50 * MS
_SHORTER = 5


class _Kind(NamedTuple):
    """A wait in whose stack this is; `reads`: the other side may read, too."""

    mark: str
    name: str
    why: str
    reads: bool = False


_KINDS = (
    _Kind("._drain_helper", "drain",
          "nobody read at the other end meanwhile. The other end may hang in a write, "
          "too: read while you write (for a child, `communicate` does both)."),
    # `read` calls itself, where it has no number.
    _Kind("StreamReader.read|StreamReader.read", "StreamReader.read",
          "without a number it reads until the other side closes, and that did not{others}. "
          "Read a line or a number of bytes, or have the other side close (`write_eof`).",
          True),
)  # fmt: skip
_DRAIN_READS = " StreamReader."


def nobody_reads(facts: Facts) -> Iterator[Finding]:
    """Long waits at a socket or pipe, all of which were given up."""
    for kind in _KINDS:
        if mentioned(facts.model, kind.mark.partition("|")[0]):
            yield from _given_up(facts, kind)


def _is_of(kind: _Kind, stack: str) -> bool:
    functions = "|".join(place_of(frame).function for frame in stack.split("\n"))
    return kind.mark in (functions if "|" in kind.mark else stack)


def _given_up(facts: Facts, kind: _Kind) -> Iterator[Finding]:
    trace, waits = facts.model.trace, LongWaits.of(facts)
    slices, owner = trace.slices, facts.model.owners.owner
    by_line: dict[str, list[int]] = defaultdict(list)
    for i in longest_slices(facts, (AWAIT,), _DRAIN_LONG_NS, _MOST):
        if owner[i] >= 0 and _is_of(kind, facts.stack(i)):
            by_line[facts.awaited(i)[1]].append(i)
    # A child that stands in a write to its other output is a finding of its own.
    others_told = cache(lambda: {one.evidence.site for one in other_stream(facts)})
    for site, every in by_line.items():
        found = [i for i in every if _is_given_up(waits, kind, owner[i], i)]
        lost = facts.slices_ns(found)
        well_ns = max(map(facts.slice_ns, {*every}.difference(found)), default=0)
        if lost < LOST_NS or (kind.reads and well_ns):
            continue
        if min(map(facts.slice_ns, found)) < _SHORTER * well_ns:
            continue
        if kind.reads and site in others_told():
            continue
        worst = facts.longest_slice(found)
        longest = facts.slice_ns(worst)
        who: list[Who] = [("task", owner[i]) for i in found]
        dead = dead_servers(facts, min(slices.start_ns[i] for i in found))
        others = _others(facts, worst) if kind.reads and not dead else ""
        text = (
            f"Waited in vain: {users(facts.model, who)}{place_in(site)} gave up "
            f"{plural(len(found), 'wait')} in `{kind.name}`, "
            f"{in_total(facts, lost, longest, slices.start_ns[worst])}: "
            f"{dead or kind.why.format(others=others)}"
        )
        yield Finding("wait in vain", lost, text, facts.evidence_of_await(worst))


def _others(facts: Facts, worst: int) -> str:
    """`; `handle` waits meanwhile …`: the tasks that read from a stream all the time, if these
    are of one kind; one of them may be the other side."""
    trace, owned = facts.model.trace, facts.model.owners
    slices = trace.slices
    start, end = slices.start_ns[worst], slices.end_ns[worst]
    here = facts.awaited(worst)[1]  # who reads there, too, is in the same place
    found = {
        (owned.owner[i], facts.awaited(i)[1])
        for i in longest_slices(facts, (AWAIT,), _DRAIN_LONG_NS, _MOST)
        if owned.owner[i] not in (-1, owned.owner[worst])
        and facts.awaited(i)[1] != here
        and covers(min(slices.end_ns[i], end) - max(slices.start_ns[i], start), end - start)
        and _DRAIN_READS in facts.stack(i)
    }
    if len({site for _, site in found}) != 1:
        return ""
    whos: set[Who] = {("task", task) for task, _ in found}
    site = next(iter(found))[1]
    verb = "waits" if len(whos) == 1 else "wait"
    return f": {users(facts.model, whos)}{place_in(site)} {verb} for more meanwhile"


def _is_given_up(waits: LongWaits, kind: _Kind, task: int, i: int) -> bool:
    """Who reads may do so for ever, until it is cancelled when the program ends."""
    ended = waits.tree.ended_by(task, i)
    gives_up = (Kind.TIMEOUT,) if kind.reads else GIVEN_UP
    return ended.kind in gives_up or waits.timed_out(ended, task, i)
