"""uvloop: what only its loops have, and that a program cannot tell that they are recorded."""

import asyncio
import operator
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.launching import compare, script
from tests.support.loops import needs_uvloop, new_uvloop, record_on
from tests.support.recordings import record_here, task_of, wakers
from tests.support.validator.rules import validate
from tracer.recorder import Options, Recording
from viewer.analysis.children import children
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

PROGRAMS = Path(__file__).parents[2] / "support" / "programs"

pytestmark = needs_uvloop


def work_for(seconds: float) -> None:
    """Of CPU time, as samples count it."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def test_a_program_sees_no_difference(tmp_path: Path) -> None:
    """Handles, errors in callbacks, contexts, protocols, signals, subprocesses, debug mode."""
    source = (PROGRAMS / "uvloop_faces.py").read_text()
    plain, traced = compare(script("uvloop", source), tmp_path)
    assert plain.status == 7, plain.stderr
    assert plain == traced


def test_a_protocol_that_wakes_a_task(tmp_path: Path) -> None:
    """It is a callback of the loop, named by its method, and comes from I/O."""

    class Line(asyncio.Protocol):
        def __init__(self, arrived: asyncio.Future[bytes]) -> None:
            self.arrived = arrived

        def data_received(self, data: bytes) -> None:
            self.arrived.set_result(data)

    async def waits() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        arrived: asyncio.Future[bytes] = loop.create_future()
        transport, _ = await loop.create_connection(lambda: Line(arrived), sock=here)
        loop.call_later(0.001, there.send, b"x")
        await arrived
        transport.close()
        there.close()

    summary = record_on(new_uvloop, waits, tmp_path)
    task = task_of(summary, "waits")
    assert wakers(task)[-1] == {"waker": "io"}
    (woken,) = [each for each in task.slices if each.begin.args.get("waker") == "io"][-1:]
    assert str(woken.begin.args["via"]).endswith("Line.data_received")


def test_run_shows_the_programs_coroutine(tmp_path: Path) -> None:
    """uvloop.run() puts a coroutine of its own around it: before it begins, and afterwards."""
    import uvloop

    by_id = operator.attrgetter("id")

    async def main(*recordings: Recording) -> None:
        for recording in recordings:
            recording.start()
        await asyncio.sleep(0)

    summary, _ = record_here(lambda: uvloop.run(main()), tmp_path / "all.pftrace")
    assert min(summary.tasks.values(), key=by_id).coro == main.__qualname__

    late = Recording(Options(str(tmp_path / "late.pftrace"), argv=("test",)))
    uvloop.run(main(late))
    late.stop()
    summary = validate((tmp_path / "late.pftrace").read_bytes())
    assert min(summary.tasks.values(), key=by_id).coro == main.__qualname__


def test_only_long_writes_are_timed(tmp_path: Path) -> None:
    """uvloop's descriptors do not block: a short write with the GIL keeps nobody waiting."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        transport, _ = await loop.create_connection(asyncio.Protocol, sock=here)
        transport.write(b"x" * 100)
        transport.write(b"x" * (1 << 17))
        transport.abort()
        there.close()

    path = tmp_path / "t.pftrace"
    recording = Recording(Options(str(path), argv=("test",), io_threshold_us=0))
    recording.start()
    with asyncio.Runner(loop_factory=new_uvloop) as runner:
        runner.run(main())
    recording.stop()
    lanes = validate(path.read_bytes()).lanes.values()
    writes = [each for lane in lanes for each in lane.slices if each.name == "io: write"]
    assert [each.begin.args["holding_gil"] for each in writes] == [1]


@pytest.mark.parametrize("how", [time.sleep, work_for])
def test_a_protocol_that_blocks_the_loop(how: Callable[[float], None], tmp_path: Path) -> None:
    """What lasts is shown though it wakes nobody, under its name: the loop is not idle."""

    class Slow(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            how(0.1)  # about ten samples, where it computes
            seen.append(data)

    seen: list[bytes] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        transport, _ = await loop.create_connection(Slow, sock=here)
        there.send(b"x")
        while not seen:
            await asyncio.sleep(0.001)
        transport.close()
        there.close()

    names = record_on(new_uvloop, main, tmp_path).names
    assert [name for name in names if name.endswith("Slow.data_received")]


def test_a_protocol_that_makes_uvloop_call_another_method(tmp_path: Path) -> None:
    """The outer one is the callback: what it calls by way of uvloop is part of it."""

    class Full(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport: asyncio.Transport = transport  # type: ignore[assignment]

        def data_received(self, data: bytes) -> None:
            self.transport.set_write_buffer_limits(high=0)
            self.transport.write(bytes(4 << 20))
            seen.append(data)

        def pause_writing(self) -> None:
            time.sleep(0.001)
            paused.append(len(seen))

    seen: list[bytes] = []
    paused: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        transport, _ = await loop.create_connection(Full, sock=here)
        there.send(b"x")
        while not seen:
            await asyncio.sleep(0.001)
        transport.abort()
        there.close()

    names = record_on(new_uvloop, main, tmp_path).names
    assert paused == [0]
    assert [name for name in names if name.endswith("Full.data_received")]
    assert not [name for name in names if name.endswith("Full.pause_writing")]


def test_a_protocol_that_a_task_calls(tmp_path: Path) -> None:
    """uvloop calls it at once, in a context of its own: what it wakes, the task has woken."""

    class Full(asyncio.Protocol):
        def pause_writing(self) -> None:
            full.set_result(None)

        def resume_writing(self) -> None: ...

    full: asyncio.Future[None]

    async def waits() -> None:
        await full

    async def writes() -> None:
        nonlocal full
        loop = asyncio.get_running_loop()
        full = loop.create_future()
        waiting = asyncio.create_task(waits())
        here, there = socket.socketpair()
        transport, _ = await loop.create_connection(Full, sock=here)
        transport.set_write_buffer_limits(1000)
        transport.write(b"x" * 1_000_000)
        await waiting
        transport.abort()
        there.close()

    summary = record_on(new_uvloop, writes, tmp_path)
    assert wakers(task_of(summary, "waits"))[-1] == {
        "waker_task": task_of(summary, "writes").id
    }


def test_refused_nested_run(tmp_path: Path) -> None:
    """A loop that is asked to run while it runs goes on, and so does its recording."""

    async def main() -> None:
        loop = asyncio.get_running_loop()
        with pytest.raises(RuntimeError):
            loop.run_forever()
        await asyncio.sleep(0.001)

    summary = record_on(new_uvloop, main, tmp_path)
    assert summary.names["loop started"] == summary.names["loop stopped"] == 3
    assert task_of(summary, "main").states[-1] == "running"


def test_stacks_end_at_the_loop(tmp_path: Path) -> None:
    """Who woke a task is told by the frames that the loop called, not by those that run it."""

    async def waits(event: asyncio.Event) -> None:
        await event.wait()

    async def main() -> None:
        event = asyncio.Event()
        waiting = asyncio.create_task(waits(event))
        await asyncio.sleep(0)
        event.set()
        await waiting

    (last,) = [
        str(each.begin.args["stack"]).splitlines()
        for each in task_of(record_on(new_uvloop, main, tmp_path), "waits").slices
        if each.name == "ready"
    ][-1:]
    assert last[-1].endswith(".main")


FORKS = """
import asyncio, os, uvloop

async def waits():
    await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(3)))

async def forks():
    await waits()
    child = os.fork()
    if not child:
        asyncio.get_event_loop_policy().new_event_loop().call_soon(print)
        os._exit(4)
    return os.waitpid(child, 0)[1]

print(os.waitstatus_to_exitcode(uvloop.run(forks())), flush=True)
child = os.fork()
if not child:
    uvloop.run(waits())
    os._exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_forked(tmp_path: Path) -> None:
    """Children have uvloop as it was: those that a loop forked, and those that run one."""
    plain, traced = compare(script("forks", FORKS), tmp_path)
    assert plain == traced
    assert plain.stdout == "4\n5\n"


def test_waits_inside_uvloop(tmp_path: Path) -> None:
    """Its coroutines are Cython's; what a task waits for in them has a name all the same."""

    async def receives() -> None:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            loop.call_later(0.001, there.send, b"x")
            await loop.sock_recv(here, 1)

    summary = record_on(new_uvloop, receives, tmp_path)
    assert task_of(summary, "receives").states[2] == "await socket"


STARTS = """
import asyncio, sys, warnings
warnings.simplefilter("ignore")
import uvloop
uvloop.install()

async def main():
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "print('secret')")
    await process.wait()
    process = await asyncio.create_subprocess_shell("exit 3")
    print(await process.wait())

asyncio.run(main())
"""


def test_subprocesses(record: Recorder) -> None:
    """They are children like others: a Python records itself, of others the line is known."""
    model = build_model(read_trace(record(STARTS)))
    assert [bool(process.recording) for process in model.trace.processes] == [True, True]
    (shell,) = children(model)
    assert shell.command.rpartition("/")[2] == "sh -c exit"
    assert shell.site.endswith(":10 main")
    assert record.stdout == "secret\n3\n"


RESOLVES = """
import asyncio, uvloop

async def resolves():
    await asyncio.get_running_loop().getaddrinfo("127.0.0.1", "http")

async def connects():
    loop = asyncio.get_running_loop()
    try:
        await loop.create_connection(asyncio.Protocol, "localhost", 1)
    except OSError:
        pass

async def main():
    await asyncio.create_task(resolves())
    await asyncio.create_task(connects())

uvloop.run(main())
"""


def test_names_are_looked_up_in_threads_of_libuv(record: Recorder) -> None:
    """They are not Python's and stay until the end, so this has a process of its own."""
    summary = validate(record(RESOLVES).read_bytes())
    for task in ("resolves", "connects"):
        assert task_of(summary, task).states[2] == "await getaddrinfo"
