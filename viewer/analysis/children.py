"""The processes that the recorded ones started and that are not in the trace."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.processes.family import Family
from viewer.trace.model import Model
from viewer.trace.reader import Arg
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
    trace, take, found = model.trace, model.trace.engine.take, dict[_Key, Children]()
    members = Family.of(model).members.values()
    # By pid it may be a shell that was started, and a child of that which is recorded.
    recorded = {(m.start.parent, m.start.time_ns) for m in members if m.start}
    noted = trace.instants(trace.events.name, s.FORK, s.SPAWN)
    noted = trace.engine.pick(noted, trace.events.category, trace.mark(s.CAT_THREAD))
    starts = zip(
        trace.engine.gather(noted, trace.events.track, trace.track_process),
        take(trace.events.time_ns, noted, -1),
        strict=True,
    )
    reasons = Told(trace, noted).texts(s.ARG_REASON)
    for event, start, reason in zip(noted, starts, reasons, strict=True):
        if start in recorded and not reason:
            continue  # else another of the same shell's is not
        args = trace.args(event)
        pid, stack = args.get(s.ARG_CHILD), str(args.get(s.ARG_STACK, ""))
        command, site = str(args.get(s.ARG_COMMAND, "")), _site(args)
        is_helper = reason.startswith(_HELPERS) or _PYTHONS_OWN.search(command)
        if is_helper or _ASKING.search(stack):
            continue
        key = (trace.text(trace.events.name[event]), command, site, reason)
        before = found.get(key)
        pids = (before.pids if before else ()) + ((pid,) if isinstance(pid, int) else ())
        found[key] = Children(
            *key[:3],
            before.count + 1 if before else 1,
            pids,
            before.start_ns if before else start[1],
            reason,
        )
    return tuple(found.values())


def _site(args: dict[str, Arg]) -> str:
    """The user's line that started the child."""
    return head(str(args.get(s.ARG_STACK, ""))) or str(args.get(s.ARG_SITE, ""))


def count(rows: Iterable[Children]) -> int:
    return sum(row.count for row in rows)
