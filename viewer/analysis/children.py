"""The processes that the recorded ones started and that are not in the trace."""

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.processes.family import Family
from viewer.analysis.states import numbers
from viewer.trace.model import Model
from viewer.trace.sites import head
from viewer.trace.told import Told

# Python starts these by itself, beside the first spawned process; neither is recorded.
_HELPERS = "multiprocessing's "  # fork server, resource tracker
_PYTHONS_OWN = re.compile(r"from multiprocessing\.(?:resource_tracker|forkserver) import")
# Modules that ask another program a question: where a library is, what machine this is.
_ASKING = re.compile(r"/lib/python3[^/]*/(?:ctypes/util|platform|uuid)\.py:")


type _Key = tuple[str, str, str, str]


class Children(NamedTuple):
    """Children started at one line. `command` is "" for a fork, a copy of the program."""

    how: str  # schema.FORK or schema.SPAWN
    command: str
    site: str
    count: int  # type: ignore[assignment]
    pids: tuple[int, ...]  # those that are known
    start_ns: int  # when the first one was started
    reason: str = ""  # why it does not record itself; "" unknown


def children(model: Model) -> tuple[Children, ...]:
    """In order of their first start; children that the trace has as processes are left out,
    and those that modules of the standard library ask something."""
    trace, engine = model.trace, model.trace.engine
    family = Family.of(model)
    begun = engine.take(family.starts.of, family.order, -1)
    # By pid it may be a shell that was started, and a child of that which is recorded.
    recorded = {*engine.take(family.starts.event, begun, -1)}
    noted = trace.instants(trace.events.name, s.FORK, s.SPAWN)
    noted = engine.pick(noted, trace.events.category, trace.mark(s.CAT_THREAD))
    starts = engine.take(trace.events.time_ns, noted, -1)
    told = Told(trace, noted)
    names = engine.take(trace.events.name, noted, -1)
    commands, stacks, sites, reasons = map(
        told.strings, (s.ARG_COMMAND, s.ARG_STACK, s.ARG_SITE, s.ARG_REASON)
    )
    kinds = engine.pairs(names, commands)
    for column in (stacks, sites, reasons):
        kinds = engine.pairs(kinds.number, column)
    at_line = cache(lambda stack, site: head(trace.text(stack)) or trace.text(site))
    is_asking = cache(lambda stack: bool(_ASKING.search(trace.text(stack))))
    keys, of_kind = dict[_Key, int](), list[int]()
    for n in kinds.head:
        command, reason = trace.text(commands[n]), trace.text(reasons[n])
        is_helper = reason.startswith(_HELPERS) or _PYTHONS_OWN.search(command)
        key = trace.text(names[n]), command, at_line(stacks[n], sites[n]), reason
        is_left_out = is_helper or is_asking(stacks[n])
        of_kind.append(-1 if is_left_out else keys.setdefault(key, len(keys)))
    which = [*engine.take(numbers(of_kind), kinds.number, -1)]
    for n, event in enumerate(noted):
        if event in recorded and reasons[n] < 0:
            which[n] = -1  # with a reason it is another of the same shell's
    none, pids = memoryview(bytes(len(which))), told.whole(s.ARG_CHILD)
    lanes = engine.lanes(starts, starts, none, numbers(which), len(keys))
    found = [(rows, key) for key, n in keys.items() if len(rows := lanes.of(n))]
    found.sort(key=lambda one: one[0][0])
    return tuple(
        Children(
            *key[:3],
            len(rows),
            tuple(pid for n in rows if (pid := pids[n]) is not None),
            starts[rows[0]],
            key[3],
        )
        for rows, key in found
    )


def count(rows: Iterable[Children]) -> int:
    return sum(row.count for row in rows)
