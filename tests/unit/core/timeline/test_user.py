"""The program's own records to slices, by hand: where they lie, and how they nest."""

import struct

import pytest

from tests.support.records import FUNC, LINE, MAIN, OTHER, SLEEP, Script, a_task
from tests.support.validator.rules import Summary, validate
from tests.support.validator.strict import read_strict
from tests.support.validator.user import Said
from tracer import _core
from tracer import schema as s

A, B, C = (_core.intern(name, "")[0] for name in "ABC")
ERROR = _core.intern("ValueError", "")[0]
END, BOOL, INT, DOUBLE, TEXT, OMITTED = range(6)


def text(value: str) -> bytes:
    return struct.pack("<H", len(value.encode())) + value.encode()


def payload(
    operation: int = 0, name: str | None = None, /, *, omitted: int = 0, **arguments: object
) -> bytes:
    """As in user.h."""
    body = struct.pack("<Q", operation) + (b"" if name is None else text(name))
    for label, value in arguments.items():
        key = bytes([len(label)]) + label.encode()
        match value:
            case bool():
                body += bytes([BOOL]) + key + struct.pack("<Q", value)
            case int():
                body += bytes([INT]) + key + struct.pack("<q", value)
            case float():
                body += bytes([DOUBLE]) + key + struct.pack("<d", value)
            case _:
                body += bytes([TEXT]) + key + text(str(value))
    if omitted:
        body += bytes([OMITTED]) + struct.pack("<Q", omitted)
    return body + bytes([END])


class User(Script):
    """Records of the program's own events."""

    def begin(
        self, ns: int, number: int, name: int, data: bytes = b"", *, tid: int = MAIN
    ) -> None:
        self.add(ns, "REGION_BEGIN", name, 0, number, tid=tid, text=data)

    def end(self, ns: int, number: int, exception: int = 0, *, tid: int = MAIN) -> None:
        self.add(ns, "REGION_END", exception, 0, number, tid=tid)

    def summary(self) -> Summary:
        """The trace, with the instant that the writer puts at its begin."""
        return validate(self.data())


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> User:
    # `encode` makes no `recording` instant: these traces have no head to check.
    monkeypatch.setattr("tests.support.validator.rules._check_recording", lambda trace: None)
    return User([])


def rows(found: list[Said]) -> list[tuple[str, int, int | None, int]]:
    return [(said.name, said.start_ns, said.end_ns, said.depth) for said in found]


def test_nested_on_a_thread(script: User) -> None:
    script.begin(2_000, 1, A)
    script.begin(2_100, 2, B)
    script.end(2_200, 2)
    script.end(2_300, 1)
    regions = script.summary().user.regions
    assert rows(regions) == [("A", 2_000, 2_300, 0), ("B", 2_100, 2_200, 1)]
    assert [(said.tid, said.task) for said in regions] == [(MAIN, 0)] * 2


def test_open_at_the_end(script: User) -> None:
    script.begin(2_000, 1, A)
    assert rows(script.summary().user.regions) == [("A", 2_000, None, 0)]


def two_tasks(script: User) -> None:
    a_task(script)
    script.add(2_100, "TASK_NEW", 2, FUNC, 1)
    script.add(2_100, "READY", 2)


def test_tasks_that_interleave(script: User) -> None:
    """Each task has a track of its own, so that A and B overlap and still nest."""
    two_tasks(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.begin(3_100, 1, A)
    script.add(3_200, "STEP_AWAIT", 1, SLEEP << 32 | LINE)
    script.add(3_300, "STEP_BEGIN", 2)
    script.begin(3_400, 2, B)
    script.add(3_500, "STEP_AWAIT", 2, SLEEP << 32 | LINE)
    script.add(3_600, "READY", 1)
    script.add(3_700, "STEP_BEGIN", 1)
    script.end(3_800, 1)
    script.add(3_900, "STEP_DONE", 1)
    script.add(4_000, "READY", 2)
    script.add(4_100, "STEP_BEGIN", 2)
    script.end(4_200, 2)
    script.add(4_300, "STEP_DONE", 2)
    found = script.summary().user.regions
    assert [(said.name, said.start_ns, said.end_ns, said.task) for said in found] == [
        ("A", 3_100, 3_800, 1),
        ("B", 3_400, 4_200, 2),
    ]


def test_ended_out_of_order(script: User) -> None:
    """What is still open inside goes on as a further piece."""
    script.begin(2_000, 1, A, payload(n=1))
    script.begin(2_100, 2, B, payload(n=2))
    script.begin(2_200, 3, C)
    script.end(2_300, 1)
    script.end(2_400, 3)
    script.end(2_500, 2)
    found = script.summary().user.regions
    assert rows(found) == [
        ("A", 2_000, 2_300, 0),
        ("B", 2_100, 2_300, 1),
        ("C", 2_200, 2_300, 2),
        ("B", 2_300, 2_500, 0),
        ("C", 2_300, 2_400, 1),
    ]
    assert [said.args for said in found] == [
        {"n": 1},
        {"n": 2},
        {},
        {s.ARG_CONTINUES: 1},
        {s.ARG_CONTINUES: 1},
    ]


def test_ended_by_another_thread(script: User) -> None:
    """A region ends on the track where it began."""
    script.begin(2_000, 1, A)
    script.begin(2_100, 2, B, tid=OTHER)
    script.end(2_200, 1, tid=OTHER)
    script.end(2_300, 2, tid=OTHER)
    found = script.summary().user.regions
    assert [(said.name, said.end_ns, said.tid) for said in found] == [
        ("A", 2_200, MAIN),
        ("B", 2_300, OTHER),
    ]


def test_ended_by_a_thread_that_was_late(script: User) -> None:
    """Time does not go back on a track."""
    script.begin(2_000, 1, A)
    script.begin(2_100, 2, B)
    script.end(2_050, 2, tid=OTHER)
    script.end(2_200, 1)
    assert rows(script.summary().user.regions) == [
        ("A", 2_000, 2_200, 0),
        ("B", 2_100, 2_100, 1),
    ]


def test_unknown_end(script: User) -> None:
    """Of a region that an older recording saw begin."""
    script.begin(2_000, 9, A)
    script.end(2_100, 8)
    script.end(2_200, 9)
    script.end(2_300, 9)
    assert rows(script.summary().user.regions) == [("A", 2_000, 2_200, 0)]


def test_a_region_ends_with_its_task(script: User) -> None:
    """Its own end, from an async generator closed later, says nothing any more."""
    two_tasks(script)
    script.add(3_000, "STEP_BEGIN", 1)
    script.begin(3_100, 1, A)
    script.add(3_200, "STEP_DONE", 1)
    script.add(3_300, "STEP_BEGIN", 2)
    script.begin(3_400, 2, B)
    script.end(3_500, 1)
    script.end(3_600, 2)
    script.add(3_700, "STEP_DONE", 2)
    assert rows(script.summary().user.regions) == [
        ("A", 3_100, 3_200, 0),
        ("B", 3_400, 3_600, 0),
    ]


def test_a_region_ends_with_its_thread(script: User) -> None:
    script.begin(2_000, 1, A, tid=OTHER)
    script.add(2_100, "THREAD_EXIT", tid=OTHER)
    script.end(2_200, 1)
    assert rows(script.summary().user.regions) == [("A", 2_000, 2_100, 0)]


def test_gap(script: User) -> None:
    """What was open when records were lost ends there."""
    a_task(script)
    script.begin(2_500, 1, A)
    script.add(3_000, "STEP_BEGIN", 1)
    script.begin(3_100, 2, B)
    script.add(9_000, "GAP", 0, 5, 4_000)
    script.end(9_100, 2)
    script.end(9_200, 1)
    assert rows(script.summary().user.regions) == [
        ("A", 2_500, 4_000, 0),
        ("B", 3_100, 4_000, 0),
    ]


def test_lane_of_later_tasks(script: User) -> None:
    """Tasks on one merged lane, one after the other, share its user track."""
    a_task(script)
    for n in range(2, s.OWN_TRACK_TASKS + 1):
        script.add(2_100, "TASK_NEW", n, FUNC, 1)
    for n in (1_001, 1_002):
        at = n * 10_000
        script.add(at, "TASK_NEW", n, FUNC, 1)
        script.add(at, "READY", n)
        script.add(at + 1_000, "STEP_BEGIN", n)
        script.begin(at + 2_000, n, A)
        script.add(at + 3_000, "STEP_DONE", n)
    found = script.summary().user.regions
    assert [(said.task, said.end_ns) for said in found] == [
        (1_001, 10_013_000),
        (1_002, 10_023_000),
    ]


def test_deeper_than_perfetto_takes(script: User) -> None:
    """The outermost 256 are shown."""
    for n in range(300):
        script.begin(2_000 + n, n + 1, A)
    for n in reversed(range(300)):
        script.end(4_000 - n, n + 1)
    assert [said.depth for said in script.summary().user.regions] == list(range(256))


def test_arguments(script: User) -> None:
    """Of every type; one that is called as ours are is renamed."""
    data = payload(0, "x" * 400, omitted=3, flag=True, n=-5, half=0.5, who="é", operation=7)
    script.begin(2_000, 1, 0, data)
    script.end(2_100, 1, ERROR)
    (region,) = script.summary().user.regions
    assert region.name == "x" * 400
    assert region.args == {
        "flag": 1,
        "n": 2**64 - 5,
        "half": int.from_bytes(struct.pack("<d", 0.5), "little"),
        "who": "é",
        "operation_": 7,
        s.ARG_OMITTED: 3,
        s.ARG_EXCEPTION: "ValueError",
    }


def test_operations_overlap(script: User) -> None:
    """Each has a lane while it lasts; regions and logs carry its number."""
    script.add(2_000, "OPERATION_BEGIN", A, 0, 1, text=payload(who="me"))
    script.add(2_100, "OPERATION_BEGIN", A, 0, 2, tid=OTHER, text=payload(1))
    script.begin(2_200, 3, B, payload(2), tid=OTHER)
    script.add(2_250, "LOG", text=payload(1, "hello", n=1))
    script.end(2_300, 3, tid=OTHER)
    script.add(2_400, "OPERATION_END", ERROR, 0, 1)
    script.add(2_500, "OPERATION_BEGIN", A, 0, 4)
    script.add(2_600, "OPERATION_END", 0, 0, 4)
    user = script.summary().user
    assert [
        (number, each.start_ns, each.end_ns) for (_, number), each in user.operations.items()
    ] == [(1, 2_000, 2_400), (2, 2_100, None), (4, 2_500, 2_600)]
    assert [each.args for each in user.operations.values()] == [
        {"who": "me", s.ARG_OPERATION: 1, s.ARG_EXCEPTION: "ValueError"},
        {s.ARG_OPERATION: 2, s.ARG_PARENT: 1},
        {s.ARG_OPERATION: 4},
    ]
    tracks = [each.begin.track for each in user.operations.values()]
    assert tracks[0] != tracks[1]
    assert tracks[0] == tracks[2], "a lane is used again"
    assert [said.args for said in user.regions] == [{s.ARG_OPERATION: 2}]
    assert [(said.name, said.tid, said.args) for said in user.logs] == [
        ("hello", MAIN, {"n": 1, s.ARG_OPERATION: 1})
    ]


def test_counters(script: User) -> None:
    """One track per name, whoever counts; whole numbers stay whole."""
    script.add(2_000, "COUNTER", A, 0, 5)
    half = int.from_bytes(struct.pack("<d", -0.5), "little")
    script.add(2_100, "COUNTER", B, 0, half, flag=1)
    script.add(2_200, "COUNTER", A, 0, 2**64 - 1, tid=OTHER)
    assert script.summary().user.counters == {"A": [5, 2**64 - 1], "B": [-0.5]}


def test_lengths_of_queues(script: User) -> None:
    """They are no counters of the program, even where one has the same name."""
    script.add(2_000, "COUNTER", A, 0, 5)
    script.add(2_100, "COUNTER", A, 0, 17, flag=2)
    trace = read_strict(script.data())
    (queues,) = (uuid for uuid, t in trace.tracks.items() if t.name == s.TRACK_QUEUES)
    counted = [(e.counter, trace.tracks[e.track]) for e in trace.events]
    assert [(n, t.name) for n, t in counted if t.parent == queues] == [(17, "A")]
    assert script.summary().user.counters == {"A": [5]}
