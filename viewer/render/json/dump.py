"""A dump as JSON, in the shape that viewer/NOTES.md promises under "Dumps"."""

import json

from viewer.analysis.dump.entry import Dump, Entry
from viewer.analysis.dump.groups import state_of
from viewer.analysis.profiles.profile import Place

SCHEMA = 1

type Json = int | str | bool | list["Json"] | dict[str, "Json"] | None


def render_json(dump: Dump, entries: tuple[Entry, ...], file: str, pids: list[int]) -> str:
    """Times are in ns since the trace began. `pids`: by process of the trace."""
    ids = {entry.place: n for n, entry in enumerate(dump.entries)}
    found = {
        "schema": SCHEMA,
        "trace": {"file": file},
        "at_ns": dump.at_ns - dump.start_ns,
        "remarks": list(dump.remarks),
        "entries": [_entry(dump, entry, ids[entry.place], pids) for entry in entries],
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _entry(dump: Dump, entry: Entry, number: int, pids: list[int]) -> Json:
    return {
        "entry": number,
        "what": entry.what.value,
        "pid": pids[entry.process] if entry.process >= 0 else 0,
        "id": entry.number,
        "name": entry.name,
        "coro": entry.function,
        "site": entry.site,
        "state": entry.state,
        "kind": state_of(entry),
        "since_ns": entry.since_ns - dump.start_ns if entry.since_ns >= 0 else None,
        "at_least": entry.at_least,
        "is_loop": entry.is_loop,
        "runs_on": _index(entry.runs_on),
        "stack": _frames(entry.frames) if entry.frames else None,
        "sampled_ns": entry.sampled_ns - dump.start_ns if entry.sampled_ns >= 0 else None,
        "created": _frames(entry.created) if entry.created else None,
        "creator": _index(entry.creator),
        "creator_coro": entry.creator_name,
        "lock": entry.lock if entry.lock >= 0 else None,
        "behind": _behind(entry),
    }


def _index(entry: int) -> int | None:
    return entry if entry >= 0 else None


def _behind(entry: Entry) -> Json:
    if entry.behind is None:
        return None
    told = entry.behind
    return {
        "how": told.how.value,
        "what": told.what.value,
        "name": told.name,
        "entry": _index(told.index),
        "site": told.site,
    }


def _frames(frames: tuple[Place, ...]) -> list[Json]:
    return [
        {"function": frame.function, "file": frame.path, "line": frame.line}
        for frame in frames
    ]
