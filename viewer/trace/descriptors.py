"""The fields of TrackDescriptors: the Python twin of native/descriptors.c."""

from tracer import schema as s
from viewer.trace.wire import Malformed, fields, message, varint

# uuid, name, the parent's uuid, pid, tid, the thread's name, the command line
type Descriptor = tuple[int, str, int, int, int, str, tuple[str, ...]]

_PROCESS, _THREAD = message(s.TRACK_PROCESS), message(s.TRACK_THREAD)


def describe(rows: list[tuple[int, bytes]]) -> list[Descriptor]:
    """Of rows (last seen, body), the descriptors that are well-formed, in their order."""
    return [told for _, body in rows if (told := _described(body)) is not None]


def _described(body: bytes) -> Descriptor | None:
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
        tuple(texts.get((_PROCESS, message(s.PROCESS_CMDLINE)), ())),
    )
