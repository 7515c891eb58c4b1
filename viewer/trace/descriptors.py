"""The fields of TrackDescriptors, and what is above what: twins of native/descriptors.c."""

from array import array

from tracer import schema as s
from viewer.trace.columns import Column, Described, views
from viewer.trace.strings import Strings
from viewer.trace.wire import Data, Malformed, fields, message, varint

# uuid, name, the parent's uuid, pid, tid, the thread's name
type _Descriptor = tuple[int, str, int, int, int, str]

_PROCESS, _THREAD = message(s.TRACK_PROCESS), message(s.TRACK_THREAD)


def describe(data: Data, at: Column, size: Column, last: Column, uuids: Column) -> Described:
    """The tracks that well-formed descriptors describe, the newest of each uuid.

    Descriptors are at `at` in the data, and have been seen last in the packets `last`.
    """
    known: dict[int, _Descriptor] = {}
    body: dict[int, int] = {}
    for i in sorted(range(len(at)), key=last.__getitem__):
        told = _described(bytes(data[at[i] : at[i] + size[i]]))
        if told is not None:
            known[told[0]] = told
            body[told[0]] = i
    row = {uuid: number for number, uuid in enumerate(known)}
    texts: dict[str, int] = {}
    names = array("i")
    thread_names = array("i")
    for _, name, _, _, _, thread_name in known.values():
        names.append(texts.setdefault(name, len(texts)))
        thread_names.append(texts.setdefault(thread_name, len(texts)))
    rows = known.values()
    columns = (
        array("Q", known),
        array("Q", (parent for _, _, parent, *_ in rows)),
        array("i", (row.get(parent, -1) for _, _, parent, *_ in rows)),
        array("Q", (told[3] for told in rows)),
        array("Q", (told[4] for told in rows)),
        names,
        thread_names,
        array("i", body.values()),
        array("i", (row.get(uuid, -1) for uuid in uuids)),
    )
    is_plain = all(text.isascii() and text.isprintable() for text in texts)
    return Described(*[*views(columns), Strings(texts), is_plain])


def above(parent: Column, wanted: Column) -> Column:
    """By row the nearest of itself and those above it that is wanted; -1 without, also where
    they are a circle. Where `wanted` is empty, those that nothing is above are."""
    if not wanted:
        wanted = memoryview(array("i", [row < 0 for row in parent]))
    found: dict[int, int] = {}
    for row in range(len(parent)):
        way, at = dict[int, None](), row
        while at not in found and at not in way and at >= 0 and not wanted[at]:
            way[at] = None
            at = parent[at]
        answer = -1 if at < 0 or at in way else found.get(at, at)
        found |= dict.fromkeys(way, answer)
    return memoryview(array("i", (found.get(row, row) for row in range(len(parent)))))


def command_line(body: bytes) -> list[str]:
    """The words of the command line that the well-formed descriptor of a process has."""
    return [
        body[start:end].decode("utf-8", "replace")
        for inside, at, behind in fields(body, 0, len(body))
        if inside == _PROCESS
        for tag, start, end in fields(body, at, behind)
        if tag == message(s.PROCESS_CMDLINE)
    ]


def _described(body: bytes) -> _Descriptor | None:
    """The descriptor, or None when it is malformed. Of equal fields the last counts."""
    numbers: dict[tuple[int, int], int] = {}  # by (message's tag or 0, field's tag)
    texts: dict[tuple[int, int], list[str]] = {}
    parts = [(0, 0, len(body))]
    try:
        for inside, start, end in parts:  # grows during the walk
            for tag, value, behind in fields(body, start, end):
                if not inside and tag in (_PROCESS, _THREAD):
                    parts.append((tag, value, behind))
                elif tag & 7 == 2:
                    text = body[value:behind].decode("utf-8", "replace")
                    texts.setdefault((inside, tag), []).append(text)
                elif tag & 7 == 0:
                    numbers[inside, tag] = value
    except Malformed:
        return None

    def number(inside: int, field: int) -> int:
        return numbers.get((inside, varint(field)), 0)

    def last_text(inside: int, field: int) -> str:
        return texts.get((inside, message(field)), [""])[-1]

    return (
        number(0, s.TRACK_UUID),
        last_text(0, s.TRACK_NAME),
        number(0, s.TRACK_PARENT_UUID),
        number(_PROCESS, s.PROCESS_PID) or number(_THREAD, s.THREAD_PID),
        number(_THREAD, s.THREAD_TID),
        last_text(_THREAD, s.THREAD_NAME),
    )
