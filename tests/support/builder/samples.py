"""CPU samples for hand-made traces: `SampleBuilder(trace).add(thread, at, "main", "work")`."""

from tests.support.builder.threads import Thread
from tests.support.builder.trace import TraceBuilder
from tests.support.builder.wire import message, number, text
from tracer import schema as s

type Place = str | tuple[str, str, int]  # a bare name is (name, "/app/prog.py", 1)


class SampleBuilder:
    """The sample sequence of a trace; its packets are the trace's `extra_packets`."""

    def __init__(self, trace: TraceBuilder, hz: int = 100) -> None:
        self.trace = trace
        self.sequence = number(s.PACKET_SEQUENCE_ID, trace.sequence_id + (1 << 24))
        self.ids: dict[object, int] = {}
        timebase = number(s.TIMEBASE_FREQUENCY, hz)
        timebase += number(s.TIMEBASE_COUNTER, s.COUNTER_CPU_CLOCK)
        timebase += text(s.TIMEBASE_NAME, s.TIMEBASE_CPU)
        perf = message(s.DEFAULTS_PERF_SAMPLE, message(s.PERF_DEFAULTS_TIMEBASE, timebase))
        defaults = number(s.DEFAULTS_CLOCK_ID, s.CLOCK_MONOTONIC) + perf
        path = self.entry(1, text(s.INTERNED_NAME, s.MAPPING_PYTHON))
        mapping = self.entry(1, number(s.MAPPING_PATH_IDS, 1))
        self.packet(
            number(s.PACKET_SEQUENCE_FLAGS, s.FLAG_STATE_CLEARED)
            + message(s.PACKET_DEFAULTS, defaults)
            + message(
                s.PACKET_INTERNED_DATA,
                message(s.INTERNED_MAPPING_PATHS, path)
                + message(s.INTERNED_MAPPINGS, mapping),
            )
        )

    def entry(self, iid: int, body: bytes) -> bytes:
        return number(s.INTERNED_IID, iid) + body

    def packet(self, body: bytes) -> None:
        self.trace.extra_packets.append(message(s.TRACE_PACKET, self.sequence + body))

    def intern(self, table: int, key: object, body: bytes) -> int:
        if (table, key) not in self.ids:
            self.ids[table, key] = iid = len(self.ids) + 1
            data = message(table, self.entry(iid, body))
            self.packet(message(s.PACKET_INTERNED_DATA, data))
        return self.ids[table, key]

    def frame(self, place: Place) -> int:
        name, path, line = (place, "/app/prog.py", 1) if isinstance(place, str) else place
        function = self.intern(s.INTERNED_FUNCTION_NAMES, name, text(s.INTERNED_NAME, name))
        body = number(s.FRAME_FUNCTION_ID, function) + number(s.FRAME_MAPPING_ID, 1)
        body += number(s.FRAME_REL_PC, len(self.ids) + 1000 + (self.trace.pid % 100 << 20))
        if path:
            source = self.intern(s.INTERNED_SOURCE_PATHS, path, text(s.INTERNED_NAME, path))
            body += number(s.FRAME_SOURCE_PATH, source) + number(s.FRAME_LINE, line)
        return self.intern(s.INTERNED_FRAMES, (name, path, line), body)

    def add(self, thread: Thread, at: int, *places: Place, times: int = 1) -> "SampleBuilder":
        """`times` samples of a stack, the outermost first, `at` ns after the trace's start."""
        frames = [self.frame(place) for place in places]
        stack = b"".join(number(s.CALLSTACK_FRAME_IDS, frame) for frame in frames)
        iid = self.intern(s.INTERNED_CALLSTACKS, tuple(frames), stack)
        body = number(s.PERF_PID, self.trace.pid)
        body += number(s.PERF_TID, thread.tid) + number(s.PERF_CALLSTACK, iid)
        body += number(s.PERF_CPU_MODE, s.CPU_MODE_USER)
        stamp = number(s.PACKET_TIMESTAMP, self.trace.start_ns + at)
        for _ in range(times):
            self.packet(stamp + message(s.PACKET_PERF_SAMPLE, body))
        return self
