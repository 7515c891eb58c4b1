"""Modules whose own code takes long when they are imported, in one process or in many."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import compress, pairwise
from operator import eq

from tracer import schema as s
from tracer.units import MS, duration, share
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.circles import Who
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.profiles.cpu import cpu_period, stack_places
from viewer.analysis.profiles.profile import Place
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO, SLEEP, STATE_MASK
from viewer.trace.sites import imports, is_library, place_of
from viewer.words import code, place

# The code of most modules takes a few milliseconds; half a second is a model that is loaded, a
# server that is asked. Below a quarter of the recording, a program has lived with it.
_LONG_NS = 500 * MS
_PART = 1, 4
_WAIT_NS = MS
_MOST_WAITS = 20_000
_IMPORTING = "<frozen importlib"
_BODY = "<module>"
_TAKEN = (s.PREEMPTED, s.OFF_CPU, s.GIL_WAIT)
# Children that are begun one by one, and live for it for half of their time: what the parent
# has imported before, they have already.
_CHILDREN, _MOSTLY = 5, 2
_BEFORE = "Import it in the parent, before it forks, or let a process do more than one job."
_ADVICE = "Do that when it is first needed, or import the module only where it is needed."


@dataclass(slots=True)
class _Body:
    """What a module's own code did, and what it calls, but for the imports within it."""

    ns: int = 0
    first_ns: int = 0
    last_ns: int = 0
    lines: Counter[tuple[str, str]] = field(default_factory=Counter)  # (what, site): ns
    importers: Counter[str] = field(default_factory=Counter)

    def add(self, start_ns: int, end_ns: int, line: tuple[str, str], importer: str) -> None:
        self.ns += end_ns - start_ns
        self.first_ns = min(self.first_ns or start_ns, start_ns)
        self.last_ns = max(self.last_ns, end_ns)
        self.lines[line] += end_ns - start_ns
        self.importers[importer] += 1

    def most(self) -> tuple[str, str, int]:
        """What it did most of the time in one function, its line, and how long."""
        functions = Counter[tuple[str, str]]()
        for (what, site), ns in self.lines.items():
            functions[what, place_of(site).function] += ns
        (what, function), ns = functions.most_common(1)[0]
        site = max(
            (
                line
                for did, line in self.lines
                if (did, place_of(line).function) == (what, function)
            ),
            key=lambda line: self.lines[what, line],
        )
        return what, site, ns


def slow_start(facts: Facts) -> Iterator[Finding]:
    """A main thread that stands in the code of a module which it imports."""
    model = facts.model
    tids, pids = model.threads.tids, model.trace.processes.pid
    is_main = map(eq, tids, model.trace.engine.take(pids, model.thread_process, 0))
    mains = {tids[thread]: thread for thread in compress(range(len(tids)), is_main)}
    found = defaultdict[tuple[int, str], _Body](_Body)
    for thread, start, end, what, frames in (
        *_computed(facts, mains),
        *_blocked(facts, mains),
    ):
        body = _body(frames)
        if body and facts.on_loop_at(thread, start) < 0:
            where = next((n for n in range(body) if not is_library(frames[n])), body - 1)
            found[thread, place_of(frames[body - 1]).path].add(
                start, end, (what, frames[where]), _importer(frames)
            )
    yield from _in_each_child(facts, found)
    for (thread, path), its in found.items():
        if its.ns < _LONG_NS or its.ns * _PART[1] < _life_ns(facts, thread) * _PART[0]:
            continue
        what, site, ns = its.most()
        importer = its.importers.most_common(1)[0][0]
        name = facts.model.thread_names[thread]
        text = (
            f"Slow start: {code(name)} spends {duration(its.ns)} in the code of the module "
            f"`{_module(path)}`"
            f"{f', which {place(importer)} imports' if importer else ''} "
            f"({at(facts, its.first_ns)}): {share(ns, its.ns)} of that {what} in "
            f"{code(place_of(site).function, site)}."
        )
        evidence = facts.evidence(
            ("thread", thread), its.first_ns, its.last_ns - its.first_ns, site
        )
        yield Finding("slow start", its.ns, text, evidence, _ADVICE)


def _in_each_child(facts: Facts, found: dict[tuple[int, str], _Body]) -> Iterator[Finding]:
    """A module that each of many children imports anew."""
    if len({facts.model.thread_process[thread] for thread, _ in found}) < _CHILDREN:
        return
    family = Family.of(facts.model)
    alike = defaultdict[tuple[int, str, str], list[tuple[Member, _Body]]](list)
    for (thread, path), its in found.items():
        child = family.members.get(facts.model.thread_process[thread])
        if child is None or child.start is None or not child.start.site:
            continue
        if its.ns * _MOSTLY >= _life_ns(facts, thread):
            alike[child.start.thread, child.start.site, path].append((child, its))
    for (starter, site, path), every in alike.items():
        lost = sum(its.ns for _, its in every)
        if len(every) < _CHILDREN or lost < _LONG_NS or _overlap(child for child, _ in every):
            continue
        _, its = max(every, key=lambda one: one[1].ns)
        what, line, ns = its.most()
        importer = its.importers.most_common(1)[0][0]
        text = (
            f"Slow start: each of {len(every)} children that "
            f"{code(place_of(site).function, site)} starts "
            f"spends {duration(lost // len(every))} in the code of the module "
            f"`{_module(path)}`{f', which {place(importer)} imports' if importer else ''}, "
            f"{duration(lost)} in all: {share(ns, its.ns)} of the longest {what} in "
            f"{code(place_of(line).function, line)} ({at(facts, its.first_ns)})."
        )
        who: Who = ("thread", starter)
        evidence = facts.evidence(who, its.first_ns, its.last_ns - its.first_ns, site)
        yield Finding("slow start", lost, text, evidence, _BEFORE)


def _overlap(children: Iterable[Member]) -> bool:
    """Whether most began before the one before had ended: a pool's workers, which stay."""
    lives = sorted((one.start_ns, one.end_ns) for one in children)
    return sum(b[0] < a[1] for a, b in pairwise(lives)) * 2 > len(lives)


type _Did = tuple[int, int, int, str, Sequence[str]]  # thread, start, end, what, stack


def _computed(facts: Facts, mains: dict[int, int]) -> Iterator[_Did]:
    period, stacks = cpu_period(facts.model)[2], stack_places(facts.model)
    wanted = dict[int, Sequence[str]]()
    for stack, is_import in enumerate(facts.importing):
        if is_import:
            wanted[stack] = [*map(_frame, stacks[stack])]
    for tid, thread in mains.items() if wanted else ():
        for time_ns, stack in facts.samples_of(tid):
            if stack in wanted:
                yield thread, time_ns, time_ns + period, "computing", wanted[stack]


def _blocked(facts: Facts, mains: dict[int, int]) -> Iterator[_Did]:
    table, threads = facts.model.states, {*mains.values()}
    for row in facts.rows_of((IO, SLEEP), _WAIT_NS)[:_MOST_WAITS]:
        if table.who[row] in threads:
            stack = stack_of(facts.model, row)
            if _IMPORTING in stack:
                is_sleep = table.state[row] & STATE_MASK == SLEEP
                what = "asleep" if is_sleep else f"in `{facts.call(table.row[row])[0]}`"
                frames = stack.split("\n")
                yield table.who[row], table.start_ns[row], table.end_ns[row], what, frames


def _frame(sampled: Place) -> str:
    """A frame of a sample as those of waits are written: its function without the module."""
    module = sampled.path.rpartition("/")[2].removesuffix(".py") + "."
    return f"{sampled.path}:{sampled.line} {sampled.function.removeprefix(module)}"


def _body(frames: Sequence[str]) -> int:
    """How many frames, from the innermost on, are of a module's own code; 0 outside of any,
    and where the machinery of imports itself, or somebody's hook of it, is at work."""
    inside = next((n for n, frame in enumerate(frames) if imports(frame)), 0)
    own = (n for n in reversed(range(inside)) if place_of(frames[n]).function == _BODY)
    return next(own, -1) + 1


def _importer(frames: Sequence[str]) -> str:
    """The line of the user's code that began the import; "" if it was a library's."""
    last = max(n for n, frame in enumerate(frames) if imports(frame))
    before = frames[last + 1] if last + 1 < len(frames) else ""
    return before if before and not is_library(before) else ""


def _module(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return folder.rpartition("/")[2] if name == "__init__.py" else name.removesuffix(".py")


def _life_ns(facts: Facts, thread: int) -> int:
    """How long the thread lived, without what others took from it."""
    model = facts.model
    tid, pid = model.threads[thread].tid, model.pid(model.thread_process[thread])
    row = next(row for row in facts.threads if (row.tid, row.pid) == (tid, pid))
    taken = sum(row.states.get(state, 0) for state in _TAKEN)
    return row.wall_ns - taken
