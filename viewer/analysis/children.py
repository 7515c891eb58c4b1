"""The processes that the recorded ones started and that are not in the trace."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.processes.family import Family
from viewer.trace.model import Model
from viewer.trace.reader import Arg
from viewer.trace.sites import head

# Python starts these by itself, beside the first spawned process; neither is recorded.
_HELPERS = "multiprocessing's "  # fork server, resource tracker
_PYTHONS_OWN = re.compile(r"from multiprocessing\.(?:resource_tracker|forkserver) import")
# Modules that ask another program a question: where a library is, what machine this is.
_ASKING = re.compile(r"/lib/python3[^/]*/(?:ctypes/util|platform|uuid)\.py:")


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
    events, found = model.trace.events, dict[tuple[str, str, str, str], Children]()
    members = Family.of(model).members.values()
    # By pid it may be a shell that was started, and a child of that which is recorded.
    recorded = {(m.start.parent, m.start.time_ns) for m in members if m.start}
    for event in model.trace.instants(events.name, s.FORK, s.SPAWN):
        if model.trace.text(events.category[event]) != s.CAT_THREAD:
            continue
        process = model.trace.track_process[events.track[event]]
        args = model.trace.args(event)
        pid = args.get(s.ARG_CHILD)
        command, site = str(args.get(s.ARG_COMMAND, "")), _site(args)
        stack = str(args.get(s.ARG_STACK, ""))
        start = (process, events.time_ns[event])
        reason = str(args.get(s.ARG_REASON, ""))
        is_helper = reason.startswith(_HELPERS) or _PYTHONS_OWN.search(command)
        is_recorded = (
            start in recorded and not reason
        )  # else another of the same shell's is not
        if is_recorded or is_helper or _ASKING.search(stack):
            continue
        key = (model.trace.text(events.name[event]), command, site, reason)
        before = found.get(key)
        pids = (before.pids if before else ()) + ((pid,) if isinstance(pid, int) else ())
        found[key] = Children(
            *key[:3],
            before.count + 1 if before else 1,
            pids,
            before.start_ns if before else events.time_ns[event],
            reason,
        )
    return tuple(found.values())


def _site(args: dict[str, Arg]) -> str:
    """The user's line that started the child."""
    return head(str(args.get(s.ARG_STACK, ""))) or str(args.get(s.ARG_SITE, ""))


def count(rows: Iterable[Children]) -> int:
    return sum(row.count for row in rows)
