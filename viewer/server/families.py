"""Processes and the jobs of their pools on the page: lanes, and what a click on one shows."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import count
from typing import cast

from viewer.analysis.causes.part import shortened
from viewer.analysis.causes.tree import Tree
from viewer.analysis.endings import end_of
from viewer.analysis.ledger.resource import window
from viewer.analysis.processes.family import Family, Member
from viewer.analysis.processes.jobs import Job, Jobs
from viewer.analysis.states import numbers
from viewer.render.json.values import Json
from viewer.render.json.why import cause_json
from viewer.render.text.processes import ended
from viewer.server.lanes import Group, Title
from viewer.trace.columns import Lanes
from viewer.trace.model import Model

_STARTING, _LIVES, _KILLED = range(1, 4)
_DONE, _FAILED = 1, 2
CHUNK = 16  # lanes asked for together, as tiles.js says
_SMALL, _BROAD = 1_000, 24  # as of a wait

type _Piece = tuple[int, int, int, int]  # lane, begin, end, code


def processes(model: Model) -> Group:
    """A lane per process, in order of begin: starting, then its life."""
    members = list(Family.of(model).members.values())
    pieces = list[_Piece]()
    names = list[str]()
    for lane, member in enumerate(members):
        begun, end = life(member)
        is_killed = member.ended is not None and member.ended.signal is not None
        if begun < member.start_ns:
            pieces.append((lane, begun, member.start_ns, _STARTING))
            names.append("starting")
        pieces.append((lane, member.start_ns, end, _KILLED if is_killed else _LIVES))
        names.append(f"{member.name}: {end_text(model, member)}")
    titles = tuple(Title(m.name, str(m.pid), i, m.process) for i, m in enumerate(members))
    return _group(model, titles, pieces, names)


def jobs(model: Model) -> Group:
    """A lane per process that ran jobs, in the order of the processes; others' are empty."""
    members = list(Family.of(model).members.values())
    lane = {member.process: i for i, member in enumerate(members)}
    pieces = [
        (lane[job.worker], job.start_ns, job.end_ns, _FAILED if job.exception else _DONE)
        for job in _ran(model)
    ]
    names = [job.name for job in _ran(model)]
    titles = tuple(Title("jobs", "", i, m.process) for i, m in enumerate(members))
    return _group(model, titles, pieces, names)


def _ran(model: Model) -> list[Job]:
    """The jobs that have a slice: their numbers are the rows."""
    members = Family.of(model).members
    return [j for j in Jobs.of(model).all if j.start_ns >= 0 and j.worker in members]


def _group(
    model: Model, titles: tuple[Title, ...], pieces: list[_Piece], names: list[str]
) -> Group:
    """The engine wants rows in order of begin; their numbers stay those of `pieces`."""
    order = sorted(range(len(pieces)), key=lambda i: pieces[i][1])
    ordered = [pieces[i] for i in order]
    found = model.trace.engine.lanes(
        memoryview(array("q", (piece[1] for piece in ordered))),
        memoryview(array("q", (piece[2] for piece in ordered))),
        memoryview(bytes(piece[3] for piece in ordered)),
        numbers(piece[0] for piece in ordered),
        max(len(titles), 1),
    )
    rows = numbers(order[row] for row in found.row)
    lanes = Lanes(found.offset, rows, found.start_ns, found.end_ns, found.code)
    lane = numbers(piece[0] for piece in pieces)
    return Group(titles, lanes, lane, names.__getitem__, False)


def life(member: Member) -> tuple[int, int]:
    """From its start, as its parent saw it, to its end."""
    begun = min(member.start.time_ns, member.start_ns) if member.start else member.start_ns
    return begun, max(member.end_ns, member.told.time_ns if member.told else 0)


def end_text(model: Model, member: Member) -> str:
    process, said = model.trace.processes[member.process], member.ended
    how = end_of(process, process.live).how
    return ended(how, said.status if said else None, said.signal if said else None)


def tree_json(model: Model) -> list[Json]:
    """Each process below the one that started it; `lane` is that of its group."""
    members = list(Family.of(model).members.values())
    below: dict[int, list[int]] = {}
    known = {member.process for member in members}
    for lane, member in enumerate(members):
        below.setdefault(member.parent if member.parent in known else -1, []).append(lane)
    ran = {job.worker for job in _ran(model)}
    stack = [(0, lane) for lane in reversed(below.get(-1, []))]
    found = list[Json]()
    while stack:
        depth, lane = stack.pop()
        member = members[lane]
        found.append(
            {
                "process": member.process,
                "pid": member.pid,
                "name": member.name,
                "end": end_text(model, member),
                "depth": depth,
                "lane": lane,
                "has_jobs": member.process in ran,
            }
        )
        stack += [(depth + 1, child) for child in reversed(below.get(member.process, []))]
    return found


def runs_of_families(model: Model) -> Iterator[tuple[str, list[int]]]:
    """The runs of lanes that the pages ask for together, as processes.js groups them."""
    members = list(Family.of(model).members.values())
    if len(members) < 2:
        return
    of_thread: dict[int, list[int]] = {}
    for i, process in enumerate(model.thread_process):
        of_thread.setdefault(process, []).append(i)
    of_loop: dict[int, list[int]] = {}
    for i, loop in enumerate(model.loops):
        of_loop.setdefault(loop.process, []).append(i)
    for lane, member in enumerate(members):
        yield from (("processes", [lane]), ("jobs", [lane]))
        yield from (("gil", [member.process]), ("gc", [member.process]))
        for name, lanes in (("threads", of_thread), ("loops", of_loop)):
            mine = lanes.get(member.process, [])
            yield from ((name, mine[i : i + CHUNK]) for i in range(0, len(mine), CHUNK))


# What a click shows -----------------------------------------------------------------------


def process_details(tree: Tree, groups: Mapping[str, Group], row: int) -> dict[str, Json]:
    model, group, family = tree.model, groups["processes"], Family.of(tree.model)
    member = family.members[family.order[group.lane[row]]]
    start, _ = life(member)
    is_start = start < member.start_ns and group.label(row) == "starting"
    begin, end = (start, member.start_ns) if is_start else (member.start_ns, life(member)[1])
    links = list[Json]()
    if member.start is not None and member.start.parent >= 0:
        parent = family.members[member.start.parent]
        links.append(_link(model, group, "started by", parent, member.start.time_ns))
    links += [
        _link(model, group, "started", child, life(child)[0])
        for child in family.children(member.process)
    ]
    args: dict[str, Json] = {"pid": member.pid, "program": member.program}
    args |= {"origin": member.origin} if member.origin else {}
    args |= {"site": member.start.site} if member.start and member.start.site else {}
    return {
        "title": f"{member.name}: starting" if is_start else member.name,
        "whose": end_text(model, member),
        "kind": "process",
        "start_ns": begin,
        "end_ns": end,
        "args": args,
        "links": links,
        "did": [],
    }


class _Lanes(dict[int, int]):
    """By process its lane."""


def _link(model: Model, group: Group, what: str, other: Member, at_ns: int) -> Json:
    order = Family.of(model).order
    lane = model.derive(_Lanes, lambda: _Lanes(zip(order, count(), strict=False)))
    return {
        "what": what,
        "title": other.name,
        "start_ns": at_ns - model.start_ns,
        "group": "processes",
        # The last of its rows, which are in the order of the lanes.
        "row": bisect_right(group.lane, lane[other.process]) - 1,
    }


def job_details(tree: Tree, groups: Mapping[str, Group], row: int) -> dict[str, Json]:
    model, job = tree.model, _ran(tree.model)[row]
    family = Family.of(model)
    tree.looked_at = 0
    causes = tree.process(job.worker, window(job.start_ns, job.end_ns))
    shown = shortened(causes, job.ran_ns // _SMALL, _BROAD)
    args: dict[str, Json] = {"pool": job.pool, "job": job.number}
    args |= {"site": job.site} if job.site else {}
    args |= {"sent bytes": job.sent_bytes} if job.sent_bytes >= 0 else {}
    args |= {"result bytes": job.result_bytes} if job.result_bytes >= 0 else {}
    args |= {"exception": job.exception} if job.exception else {}
    moments = (("submitted by", job.thread, job.submit_ns),
               ("result read by", job.receiver, job.received_ns))  # fmt: skip
    links = [_moment(tree, groups, *moment) for moment in moments if moment[1] >= 0]
    return {
        "title": f"job {job.name}",
        "whose": family.name(job.worker),
        "kind": "job",
        "start_ns": job.start_ns,
        "end_ns": job.end_ns,
        "args": args,
        "links": links,
        # The JSON has the same types, under another name.
        "did": cast("Json", [cause_json(cause) for cause in shown]),
    }


def writers_of(tree: Tree, groups: Mapping[str, Group], row: int) -> list[Json]:
    """Who wrote the message that a thread waited for in a row of States, if it did."""
    number = tree.elsewhere.message_of_row.get(row, -1)
    if number < 0:
        return []
    by = tree.elsewhere.written(number)
    return [_moment(tree, groups, "written by", by.thread, by.at_ns)]


def _moment(
    tree: Tree, groups: Mapping[str, Group], what: str, thread: int, at_ns: int
) -> Json:
    """A link to what a thread did at a moment."""
    return {
        "what": what,
        "title": tree.lanes.name_of_thread(thread),
        "start_ns": at_ns - tree.model.start_ns,
        "group": "threads",
        "row": _row_at(groups["threads"], thread, at_ns),
    }


def _row_at(group: Group, lane: int, at_ns: int) -> int:
    """The row of a lane at a moment; -1 none."""
    lanes = group.lanes
    for i in range(lanes.offset[lane], lanes.offset[lane + 1]):
        if lanes.start_ns[i] <= at_ns <= lanes.end_ns[i]:
            return lanes.row[i]
    return -1
