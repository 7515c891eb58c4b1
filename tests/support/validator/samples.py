"""The rules of CPU samples, checked: the packet sequence of their own, strictly."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from tracer import schema as s
from viewer.trace.wire import message, varint

type Message = list[tuple[int, int, int]]  # (tag, number or start, behind)
type Place = tuple[str, str, int]  # function, path, line; "" and 0: unknown

_TABLES = {
    message(s.INTERNED_FUNCTION_NAMES): "function",
    message(s.INTERNED_SOURCE_PATHS): "path",
    message(s.INTERNED_MAPPING_PATHS): "mapping path",
}
PSEUDO = (
    s.FRAME_TRUNCATED,
    s.FRAME_BROKEN,
    s.FRAME_FOREIGN,
    s.FRAME_UNSAMPLED,
    s.FRAME_LOST,
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One period of CPU time: where a thread was. `frames` has the outermost first."""

    time_ns: int
    pid: int
    tid: int
    hz: int
    frames: tuple[Place, ...]

    @property
    def leaf(self) -> str:
        return self.frames[-1][0]


@dataclass(slots=True)
class _Chunk:
    hz: int
    texts: dict[tuple[str, int], str] = field(default_factory=dict)
    mappings: set[int] = field(default_factory=set)
    frames: dict[int, Place] = field(default_factory=dict)
    stacks: dict[int, tuple[Place, ...]] = field(default_factory=dict)


class SampleReader:
    """Takes the packets of sample sequences out of the stream. Raises AssertionError."""

    def __init__(self, data: bytes, parse: Callable[[int, int], Message]) -> None:
        self.data, self.parse = data, parse
        self.chunks: dict[int, _Chunk] = {}
        self.addresses: dict[int, Place] = {}
        self.samples: list[Sample] = []

    def owns(self, sequence: int, packet: Message) -> bool:
        """Whether the packet belongs to a sample sequence; reads it if so."""
        rate = self.rate_in(packet)
        if rate is None and sequence not in self.chunks:
            assert all(tag != message(s.PACKET_PERF_SAMPLE) for tag, _, _ in packet), (
                f"a sample on sequence {sequence}, which has no head with a rate"
            )
            return False
        flags = dict((tag, value) for tag, value, _ in packet).get(
            varint(s.PACKET_SEQUENCE_FLAGS), 0
        )
        if rate is not None:
            assert flags == s.FLAG_STATE_CLEARED, "a rate outside a chunk head"
            self.chunks[sequence] = _Chunk(rate)
        self.read(self.chunks[sequence], packet)
        return True

    def rate_in(self, packet: Message) -> int | None:
        for tag, start, end in packet:
            if tag != message(s.PACKET_DEFAULTS):
                continue
            defaults = self.numbers(start, end)
            for part, a, b in self.parse(start, end):
                if part == message(s.DEFAULTS_PERF_SAMPLE):
                    assert defaults[varint(s.DEFAULTS_CLOCK_ID)] == s.CLOCK_MONOTONIC
                    ((timebase, x, y),) = self.parse(a, b)
                    assert timebase == message(s.PERF_DEFAULTS_TIMEBASE)
                    base = self.numbers(x, y)
                    assert base[varint(s.TIMEBASE_COUNTER)] == s.COUNTER_CPU_CLOCK
                    return base[varint(s.TIMEBASE_FREQUENCY)]
        return None

    def numbers(self, start: int, end: int) -> dict[int, int]:
        return {tag: value for tag, value, _ in self.parse(start, end)}

    def text(self, start: int, end: int) -> str:
        ((_, a, b),) = [
            row for row in self.parse(start, end) if row[0] == message(s.INTERNED_NAME)
        ]
        return self.data[a:b].decode()

    def read(self, chunk: _Chunk, packet: Message) -> None:
        time = next((v for t, v, _ in packet if t == varint(s.PACKET_TIMESTAMP)), None)
        for tag, start, end in packet:
            if tag == message(s.PACKET_INTERNED_DATA):
                for entry in self.parse(start, end):
                    self.read_interned(chunk, *entry)
            elif tag == message(s.PACKET_PERF_SAMPLE):
                row = self.numbers(start, end)
                assert time, f"a sample without time at byte {start}"
                stack = row[varint(s.PERF_CALLSTACK)]
                assert stack in chunk.stacks, f"callstack {stack} not interned in its chunk"
                self.samples.append(
                    Sample(
                        time,
                        row[varint(s.PERF_PID)],
                        row[varint(s.PERF_TID)],
                        chunk.hz,
                        chunk.stacks[stack],
                    )
                )
            else:
                assert tag != message(s.PACKET_TRACK_EVENT), "an event among the samples"

    def read_interned(self, chunk: _Chunk, tag: int, start: int, end: int) -> None:
        row = self.numbers(start, end)
        iid = row[varint(s.INTERNED_IID)]
        if tag in _TABLES:
            assert (_TABLES[tag], iid) not in chunk.texts, f"{_TABLES[tag]} {iid} twice"
            chunk.texts[_TABLES[tag], iid] = self.text(start, end)
        elif tag == message(s.INTERNED_MAPPINGS):
            assert ("mapping path", row[varint(s.MAPPING_PATH_IDS)]) in chunk.texts
            chunk.mappings.add(iid)
        elif tag == message(s.INTERNED_FRAMES):
            chunk.frames[iid] = self.frame(chunk, row)
        else:
            assert tag == message(s.INTERNED_CALLSTACKS), f"interned data of kind {tag >> 3}"
            ids = [
                v for t, v, _ in self.parse(start, end) if t == varint(s.CALLSTACK_FRAME_IDS)
            ]
            assert ids, f"callstack {iid} is empty"
            frames = tuple(chunk.frames[frame] for frame in ids)
            *callers, (function, path, _) = frames  # only a call of C code has no file
            assert all(path or function in PSEUDO for function, path, _ in callers)
            assert path or function in PSEUDO or callers, f"nobody calls {function}"
            assert iid not in chunk.stacks, f"callstack {iid} twice"
            assert frames not in chunk.stacks.values(), f"callstack {iid} has two ids"
            chunk.stacks[iid] = frames

    def frame(self, chunk: _Chunk, row: dict[int, int]) -> Place:
        assert row[varint(s.FRAME_MAPPING_ID)] in chunk.mappings, f"no mapping: {row}"
        function = chunk.texts["function", row[varint(s.FRAME_FUNCTION_ID)]]
        path = (
            chunk.texts["path", row[tag]]
            if (tag := varint(s.FRAME_SOURCE_PATH)) in row
            else ""
        )
        place = (function, path, row.get(varint(s.FRAME_LINE), 0))
        assert path or not place[2], f"a line without a file: {place}"
        address = row[varint(s.FRAME_REL_PC)]
        assert self.addresses.setdefault(address, place) == place, (
            f"address {address:#x} is {place} and {self.addresses[address]}"
        )
        return place


def check_samples(samples: list[Sample], processes: list[tuple[int, list[int], bool]]) -> None:
    """Every sample is of a process of the trace and was taken while it was recorded.

    `processes`: pid, the times of its events, whether its recording has ended; one that was
    killed may have samples behind them. After `exec` the next program has the same pid.
    """
    bounds = defaultdict[int, list[tuple[int, int]]](list)
    for pid, found, has_ended in processes:
        bounds[pid].append((min(found), max(found) if has_ended else 1 << 62))
    for sample in samples:
        assert sample.pid in bounds, f"a sample of an unknown process: {sample}"
        assert sample.tid > 0, f"a sample of no thread: {sample}"
        assert any(first <= sample.time_ns <= last for first, last in bounds[sample.pid]), (
            f"a sample outside the recording: {sample}"
        )
