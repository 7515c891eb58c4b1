"""One slice in full: what it is, what it was for, what delayed it, where it leads."""

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from tracer import schema as s
from viewer.analysis.causes.lanes import name_of_task
from viewer.analysis.causes.part import Cause, shortened
from viewer.analysis.causes.tree import Tree
from viewer.analysis.gc import Collectors
from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.ledger.resource import window
from viewer.analysis.states import state_of_slice
from viewer.analysis.why.explain import explain
from viewer.analysis.why.waits import wait_of_row, wait_of_slice
from viewer.render.json.values import Json
from viewer.render.json.why import cause_json, to_json
from viewer.render.text.why import in_turn, sentences
from viewer.server.families import job_details, process_details, writers_of
from viewer.server.groups import slice_name, state_label, state_name, waiter_name
from viewer.server.holders import holders
from viewer.server.lanes import Group
from viewer.trace import columns
from viewer.trace.garbage import Collection
from viewer.trace.heap import Heap
from viewer.trace.model import Model
from viewer.trace.processes import Arg

_STEPS = (columns.LOOP_TASK, columns.LOOP_CALLBACK, columns.RUNNING)
_SMALL, _BROAD = 1_000, 24  # what a page shows of a wait: parts of a thousandth, at a level


def details(tree: Tree, groups: Mapping[str, Group], name: str, row: int) -> Json:
    """Everything about a row of a group; times are in ns since the start of the trace."""
    model, group = tree.model, groups[name]
    if name == "gc":
        return _collection(model, group, row)
    if name in _OF_FAMILIES:
        return _of_family(tree, groups, name, row)
    of = model.states.slice[row] if group.in_states else row
    start, end = model.trace.slices.start_ns[of], model.trace.slices.end_ns[of]
    if group.in_states:
        end = model.states.end_ns[row]
    event, last = model.trace.slices.event[of], model.trace.slices.end_event[of]
    args: dict[str, Arg] = (model.trace.args(last) if last >= 0 else {}) | model.trace.args(
        event
    )
    title, whose = _title(model, name, row, of)
    lane, before, after = group.neighbours(row, start)
    return {
        "group": name,
        "row": row,
        "title": title,
        "whose": whose,
        "kind": _kind(model, name, row, of),
        "start_ns": start - model.start_ns,
        "ns": end - start,
        "unfinished": bool(model.trace.slices.unfinished[of]),
        "lane": lane,
        "before": before,
        "after": after,
        "args": {key: value for key, value in args.items() if key != s.ARG_STACK},
        "stack": [*str(args.get(s.ARG_STACK, "")).splitlines()],
        "why": _why(tree, group, row, of) if name != "gil" else None,
        "did": [] if group.in_states else _did(tree, of),
        "holders": _holders(tree, group, row, of) if name != "gil" else [],
        "links": [
            *_links(model, groups, event, last),
            *(writers_of(tree, groups, row) if name == "threads" else []),
        ],
        "ts": str(
            start
        ),  # as text: JavaScript's numbers are exact only for 104 days of uptime
    }


def _of_family(tree: Tree, groups: Mapping[str, Group], name: str, row: int) -> Json:
    """A process or a job, with what all slices have."""
    group, base = groups[name], tree.model.start_ns
    told = _OF_FAMILIES[name](tree, groups, row)
    start, end = int(str(told.pop("start_ns"))), int(str(told.pop("end_ns")))
    lane, before, after = group.neighbours(row, start)
    return {
        "group": name,
        "row": row,
        "start_ns": start - base,
        "ns": end - start,
        "unfinished": False,
        "lane": lane,
        "before": before,
        "after": after,
        "stack": [],
        "why": None,
        "holders": [],
        "ts": str(start),
        **told,
    }


_OF_FAMILIES = {"processes": process_details, "jobs": job_details}


def _collection(model: Model, group: Group, row: int) -> Json:
    one = sorted(model.collections, key=lambda c: c.start_ns)[row]
    lane, before, after = group.neighbours(row, one.start_ns)
    thread = Ledger.of(model).thread(one.process, one.tid)
    return {
        "group": "gc",
        "row": row,
        "title": f"GC generation {one.generation}",
        "whose": model.thread_names[thread] if thread >= 0 else f"thread {one.tid}",
        "kind": "gc",
        "start_ns": one.start_ns - model.start_ns,
        "ns": one.end_ns - one.start_ns,
        "unfinished": False,
        "lane": lane,
        "before": before,
        "after": after,
        "args": {"collected": one.collected, "uncollectable": one.uncollectable}
        | _freed(model, one)
        | ({} if one.called_at is None else {s.ARG_EXPLICIT: True, s.ARG_SITE: one.called_at}),
        "stack": [],
        "why": None,
        "did": [],
        "holders": [],
        "links": [],
        "ts": str(one.start_ns),
    }


def _freed(model: Model, one: Collection) -> dict[str, Json]:
    """The bytes that a collection freed, an estimate; nothing where it is unknown."""
    if one.process not in Heap.of(model).mean_bytes:
        return {}
    return {"freed_bytes": round(Collectors.of(model).freed_bytes.get(one, 0))}


def _title(model: Model, name: str, row: int, of: int) -> tuple[str, str]:
    if name in ("threads", "gil", "waits"):
        label, state = state_label(model, row), state_name(model, row)
        title = label if label.startswith(state) else f"{state}: {label}"
        return title, waiter_name(model, row)
    if name == "locks":
        return f"held by {slice_name(model, of)}", ""
    owner = model.owners.owner[of]
    if model.owners.kind[of] in (columns.LOOP_CALLBACK, columns.SELECT) or owner < 0:
        return slice_name(model, of), "event loop"
    return slice_name(model, of), name_of_task(model, owner)


def _kind(model: Model, name: str, row: int, of: int) -> str:
    if name in ("threads", "gil", "waits", "locks"):
        return state_name(model, row)
    kinds = {
        columns.READY: s.READY,
        columns.RUNNING: s.RUNNING,
        columns.AWAIT: "await",
        columns.LOOP_TASK: "step",
        columns.LOOP_CALLBACK: "callback",
        columns.SELECT: s.SELECT,
    }
    return kinds.get(model.owners.kind[of], "")


def _why(tree: Tree, group: Group, row: int, of: int) -> Json:
    """The explanation of a slice that is a wait, as in `tracer why`; else None."""
    wait = wait_of_row(tree.model, row) if group.in_states else None
    wait = wait or wait_of_slice(tree.model, of)
    if wait is None:
        return None
    told = explain(tree.model, wait, tree)
    text = sentences(told)
    causes = shortened(_in_turn(told.causes), wait.ns // _SMALL, _BROAD)
    told = replace(told, causes=causes)
    # The JSON has the same types, under another name.
    return cast("Json", to_json(told) | {"text": text})


def _did(tree: Tree, of: int) -> Json:
    """What a step or callback did, as causes that add up to it; else empty."""
    model = tree.model
    from_ns, to_ns = model.trace.slices.start_ns[of], model.trace.slices.end_ns[of]
    if model.owners.kind[of] not in _STEPS or model.lane[of] < 0 or from_ns == to_ns:
        return []
    tree.looked_at = 0
    causes = _in_turn(tree.loop(model.lane[of], window(from_ns, to_ns)))
    shown = shortened(causes, (to_ns - from_ns) // _SMALL, _BROAD)
    return cast("Json", [cause_json(cause) for cause in shown])


def _in_turn(causes: tuple[Cause, ...]) -> tuple[Cause, ...]:
    """On every level those who took turns at the same place count as one."""
    return tuple(cause._replace(parts=_in_turn(cause.parts)) for cause in in_turn(causes))


def _holders(tree: Tree, group: Group, row: int, of: int) -> Json:
    state = row if group.in_states else state_of_slice(tree.model, of)
    return holders(tree, state) if state >= 0 else []


def _links(model: Model, groups: Mapping[str, Group], event: int, last: int) -> list[Json]:
    """The other ends of the arrows at the slice's begin and at what follows its end."""
    found: list[Json] = []
    flows = Ledger.of(model).flows
    for of in (event, last):
        for flow, is_end in flows.at(of) if of >= 0 else ():
            other = flows.other_end(flow, is_end)
            if other >= 0:
                found.append(
                    {
                        "what": "woken by" if is_end else "wakes",
                        "start_ns": model.trace.events.time_ns[other] - model.start_ns,
                        **_place(model, groups, other),
                    }
                )
    return found


def _place(model: Model, groups: Mapping[str, Group], event: int) -> dict[str, Json]:
    """The slice that begins with an event, for the page to select; else the track's name."""
    of = Ledger.of(model).slice_at(event)
    track = model.trace.tracks.get(model.trace.events.uuids[model.trace.events.track[event]])
    text = model.trace.text(model.trace.events.name[event])
    if of < 0:
        where = track.thread_name or track.name if track else ""
        return {"title": f"{text} on {where}", "group": "", "row": -1}
    kind = model.owners.kind[of]
    if kind in (columns.READY, columns.RUNNING, columns.AWAIT):
        whose = name_of_task(model, model.owners.owner[of])
        return {"title": f"{text} of {whose}", "group": "tasks", "row": of}
    if kind in (columns.LOOP_TASK, columns.LOOP_CALLBACK, columns.SELECT):
        return {"title": text, "group": "loops", "row": of}
    row = state_of_slice(model, of)
    whose = track.thread_name or track.name if track else ""
    for group in ("threads", "locks") if row >= 0 else ():
        if groups[group].lane[row] >= 0:
            return {"title": f"{text} of {whose}", "group": group, "row": row}
    return {"title": f"{text} of {whose}", "group": "", "row": -1}
