"""Messages between processes: an arrow leads from the write that ended a wait to the read."""

import json
import os
import socket
import struct
import subprocess
import sys
from bisect import bisect_right
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Recorder
from tests.support.validator.strict import Event, Strict, read_strict
from tracer import schema as s

pytestmark = pytest.mark.broad

PROGRAMS = Path(__file__).parents[2] / "support" / "programs"
# A thread that has been in the call for so long, when the program's clock says that the other
# one is about to write, waited for it.
SURELY_NS = 200_000
NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY = 4, 20


class Arrow(NamedTuple):
    sent: Event
    received: Event

    def is_read(self, pid: int, before_ns: int, after_ns: int) -> bool:
        got = self.received
        return got.process.pid == pid and before_ns <= got.time_ns <= after_ns


def arrows(trace: Strict) -> list[Arrow]:
    sources = {flow: event for event in trace.events for flow in event.flows}
    return [
        Arrow(sources[event.ends_flows[0]], event)
        for event in trace.events
        if event.name == s.MESSAGE_RECEIVED and event.ends_flows[0] in sources
    ]


def waits(trace: Strict, pid: int) -> list[tuple[int, int]]:
    """When the first thread of a process was in a call that reads or polls."""
    found: list[tuple[int, int]] = []
    begun = -1
    for event in trace.events:
        if event.process.pid != pid or trace.tracks[event.track].tid != pid:
            continue
        if event.type == s.TYPE_SLICE_BEGIN and event.category == s.CAT_IO:
            begun = event.time_ns
        elif event.type in (s.TYPE_SLICE_BEGIN, s.TYPE_SLICE_END) and begun >= 0:
            found.append((begun, event.time_ns))
            begun = -1
    return found


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_known_partners(record: Recorder, method: str) -> None:
    """Who waited when the other one wrote has an arrow, and nobody has another one's."""
    path = record(PROGRAMS / "messages.py", method)
    told = json.loads(record.stdout.splitlines()[-1])
    trace = read_strict(path.read_bytes())
    pids = [process.pid for process in trace.processes]
    parent = pids[0]
    (child,) = set(pids) - {parent}
    found = arrows(trace)
    in_calls = {pid: waits(trace, pid) for pid in pids}
    for name, times in told["written"].items():
        writer = told["writer"][name] or parent
        reader = child if writer == parent else parent
        for wrote, (before, after) in zip(times, told["read"][name], strict=True):
            mine = [arrow for arrow in found if arrow.is_read(reader, before, after)]
            assert len(mine) <= 1, f"two arrows: {mine}"
            calls = in_calls[reader]
            at = bisect_right(calls, (wrote, 0)) - 1
            begun, ended = calls[at] if at >= 0 else (0, 0)
            if before <= begun <= wrote - SURELY_NS and wrote <= ended:
                assert mine, f"{name}: waited from {begun} for what was written at {wrote}"
            for sent, received in mine:
                assert (sent.process.pid, received.process.pid) == (writer, reader)
                assert wrote <= sent.time_ns <= received.time_ns
                assert before <= int(received.args[s.ARG_SINCE]) <= received.time_ns
                if name != "queue":  # its own thread writes
                    assert str(sent.args[s.ARG_STACK]).count("messages.py:") >= 1
    assert len({id(arrow.received) for arrow in found}) == len(found)
    assert found, "nobody was seen to wait"


def tells_peers() -> bool:
    """Whether the kernel tells this process the other end of a unix socket."""
    one, other = socket.socketpair()
    with one, other:
        inode, each = os.fstat(one.fileno()).st_ino, 0xFFFFFFFF
        head = 40, SOCK_DIAG_BY_FAMILY, 1, 0, 0  # length, kind, a request
        asked = struct.pack("=IHHIIBBHIIIII", *head, 1, 0, 0, each, inode, 4, each, each)
        try:
            netlink = socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG
            with socket.socket(*netlink) as kernel:
                kernel.settimeout(60)
                kernel.sendto(asked, (0, 0))
                return bool(struct.unpack_from("=H", kernel.recv(1024), 4)[0] == head[1])
        except OSError:
            return False


def test_answers_of_a_manager(record: Recorder) -> None:
    """The two ends of a unix socket find each other by the kernel's word."""
    path = record(PROGRAMS / "manager_messages.py")
    trace = read_strict(path.read_bytes())
    client, manager = trace.processes[0].pid, int(record.stdout.splitlines()[-1])
    ways = {(sent.process.pid, got.process.pid) for sent, got in arrows(trace)}
    if not ways and not tells_peers():
        pytest.skip("this kernel does not tell the peers of unix sockets")
    assert (manager, client) in ways
    assert ways <= {(manager, client), (client, manager)}


def test_no_arrow_from_a_stranger(record: Recorder) -> None:
    """What another program wrote, or two into a raw pipe, comes from nobody that is known."""
    path = record(PROGRAMS / "unfollowed_writer.py")
    pid, got = json.loads(record.stdout.splitlines()[-1])
    found = arrows(read_strict(path.read_bytes()))
    for who, before, after in got:
        mine = [arrow for arrow in found if arrow.is_read(pid, before, after)]
        assert len(mine) <= (who == "known"), f"{who}: {mine}"


def test_streams(record: Recorder) -> None:
    """Who waits at a pipe or a socket has an arrow from what the other process wrote there,
    and none from what a stranger wrote."""
    path = record(PROGRAMS / "streams.py")
    pid, got = json.loads(record.stdout.splitlines()[-1])
    trace = read_strict(path.read_bytes())
    found = arrows(trace)
    tells = tells_peers()
    for way, who, before, after in got:
        if way in ("unix", "parts", "described") and not tells:
            continue
        mine = [arrow for arrow in found if arrow.is_read(pid, before, after)]
        assert len(mine) == (who == "known"), f"{way} from {who}: {mine}"
        for sent, received in mine:
            assert sent.process.pid == trace.processes[0].pid
            since = int(received.args[s.ARG_SINCE])
            slack = (after - before) // 100  # of how fast a processor's counter runs
            assert before - slack <= since <= sent.time_ns + slack
            assert sent.args[s.ARG_BYTES] == received.args[s.ARG_BYTES] == len("known")
            assert " main" in str(sent.args[s.ARG_STACK])
    ways = {way for way, *_ in got}
    assert ways == {
        *("pipe", "polled", "packets", "replaced", "passed"),
        *("unix", "parts", "tcp", "file", "described"),
    }


def test_streams_are_left_alone(record: Recorder) -> None:
    """Errors, signals, partial writes and odd flags give a program what they give it without
    us, and no arrow leads from what was not read."""
    program = PROGRAMS / "stream_faults.py"
    alone = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=True
    )
    path = record(program)
    assert record.stdout == alone.stdout
    assert json.loads(alone.stdout)["signals"] == ["ended by Ended", 1]
    trace = read_strict(path.read_bytes())
    assert len(trace.processes) == 2
    assert not arrows(trace), "nobody waited for another process"


# The child reads `quiet` at once when something has come at `asked`, for which alone it waits.
NOT_WAITED_FOR = """
import os, select, time
asked, ask = os.pipe()
quiet, whisper = os.pipe()
ready, tell_ready = os.pipe()
pid = os.fork()
if not pid:
    for _ in range(2):
        select.select([asked], [], [])
        os.read(asked, 1), os.read(quiet, 1)
        os.write(tell_ready, b"r")
    os._exit(0)

def unseen():
    os.write(whisper, b"q")

for _ in range(2):
    time.sleep(0.02)
    unseen()
    time.sleep(0.02)
    os.write(ask, b"a")
    os.read(ready, 1)
os.waitpid(pid, 0)
"""


def test_nobody_waited_at_this_pipe(record: Recorder) -> None:
    """What had come before a thread looked, while it waited for something else only."""
    found = arrows(read_strict(record(NOT_WAITED_FOR).read_bytes()))
    assert not [one for one in found if " unseen" in str(one.sent.args[s.ARG_STACK])]


VANISHED = """
import mmap, os, tempfile, time
reads, writes = os.pipe()
ready, tell_ready = os.pipe()
pid = os.fork()
if not pid:
    os.close(writes)
    while os.read(reads, 5):
        os.write(tell_ready, b"r")
    os._exit(0)
with tempfile.TemporaryFile() as file:
    file.write(b"text" * 1024)
    file.flush()
    with mmap.mmap(file.fileno(), 0) as text:
        for _ in range(2):
            os.write(writes, text[:5])
            os.read(ready, 1)
            time.sleep(0.02)
        file.truncate(0)
        try:
            with memoryview(text) as view:
                os.write(writes, view)
        except OSError as error:
            print(error.strerror)
os.close(writes)
os.waitpid(pid, 0)
"""


def test_what_is_written_is_no_longer_there(record: Recorder) -> None:
    record(VANISHED)
    assert record.stdout == "Bad address\n"


def test_a_writer_was_killed(record: Recorder) -> None:
    """While it wrote: what another one writes there next still has its arrow."""
    path = record(PROGRAMS / "killed_writer.py")
    reader = json.loads(record.stdout.splitlines()[-1])
    trace = read_strict(path.read_bytes())
    parent = trace.processes[0].pid
    last = [one for one in arrows(trace) if one.sent.args[s.ARG_BYTES] == len(b"known")]
    assert [(sent.process.pid, got.process.pid) for sent, got in last] == [(parent, reader)]


def test_first_on_a_connection_of_uvloop(record: Recorder) -> None:
    """It may wait for a connection in ways that no hook sees."""
    pytest.importorskip("uvloop", reason="needs uvloop")
    path = record(PROGRAMS / "uvloop_first.py")
    writer = json.loads(record.stdout.splitlines()[-1])
    sent = [one.sent for one in arrows(read_strict(path.read_bytes()))]
    sizes = [event.args[s.ARG_BYTES] for event in sent if event.process.pid == writer]
    assert sizes == [len("to the server"), len("to the client")]
