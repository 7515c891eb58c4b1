"""A child that its parent terminates has written everything before."""

import os

import pytest

from tests.conftest import Recorder
from tests.support.validator.strict import read_strict
from tracer import schema as s

PROGRAM = """\
import multiprocessing, os, signal, tracer, tracer._core

def child(ready, release):
    tracer._core.killed_limit(60)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with tracer.region("last"):
        pass
    WAIT
    with tracer.region("afterwards"):
        pass
    os.read(release, 1)

ready, release = os.pipe(), os.pipe()
context = multiprocessing.get_context("fork")
process = context.Process(target=child, args=(ready[1], release[0]))
process.start()
os.read(ready[0], 1)
process.terminate()
process.join()
print(process.exitcode)
"""


IN_A_CALL = "os.write(ready, b'x'); os.read(release, 1)"
HOLDING_A_LOCK = "tracer._core.await_signal(ready)"  # that the writer needs for CPU samples


@pytest.mark.parametrize("wait", [IN_A_CALL, HOLDING_A_LOCK])
def test_terminated_in_the_midst(record: Recorder, wait: str) -> None:
    """The signal ends it, as it would have; what it did right before is in the trace."""
    program, path = record.directory / "program.py", record.directory / "recorded.pftrace"
    program.write_text(PROGRAM.replace("WAIT", wait))
    ended = record.tracer("run", "-o", str(path), str(program))
    assert ended.stdout == "-15\n"
    trace = read_strict(path.read_bytes())
    _, child = trace.processes
    names = [event.name for event in child.events]
    assert "last" in names
    assert "afterwards" not in names
    assert names[-1] == s.RECORDING_ENDED
    (told,) = [event for event in trace.events if event.name == s.CHILD_ENDED]
    assert told.args == {s.ARG_CHILD: child.pid, s.ARG_SIGNAL: 15}
    (sent,) = [event for event in trace.events if event.name == s.SIGNAL_SENT]
    assert (sent.args[s.ARG_CHILD], sent.args[s.ARG_SIGNAL]) == (child.pid, 15)
    assert str(sent.args[s.ARG_SITE]).endswith("program.py:18 <module>")


WHILE_ANOTHER_COMPUTES = """\
import os, threading, time, tracer, tracer._core

def compute(ready):
    while time.process_time() < 0.2:  # meanwhile the sampler finds this thread
        pass
    for n in range(10**9):
        with tracer.region("much"):  # so that the last pass takes long
            if n == 30_000:
                os.write(ready, b"x")

for _ in range(2):
    ready = os.pipe()
    pid = os.fork()
    if pid == 0:
        tracer._core.killed_limit(60)
        threading.Thread(target=compute, args=(ready[1],)).start()
        os.read(os.pipe()[0], 1)
    os.read(ready[0], 1)
    os.kill(pid, 15)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.broad
def test_no_sample_is_later_than_the_end(record: Recorder) -> None:
    """Another thread computes, and is sampled, while the writer writes the last of it."""
    trace = record(WHILE_ANOTHER_COMPUTES, options=("--cpu-hz", "1000"))
    assert record.stdout == "-15\n" * 2
    _, *children = read_strict(trace.read_bytes()).processes  # the validator knows the rest
    assert [child.events[-1].name for child in children] == [s.RECORDING_ENDED] * 2


BEFORE_EXEC = """\
import os, threading, tracer._core

told = os.pipe()
pid = os.fork()
if pid == 0:
    tracer._core.killed_limit(60, 60_000)
    held = os.pipe()
    threading.Thread(target=tracer._core.await_signal, args=(held[1],), daemon=True).start()
    os.read(held[0], 1)  # from now on the writer waits for that lock
    os.write(told[1], b"x")
    os.execv("/bin/echo", ["echo", "lives on"])
os.read(told[0], 1)

def is_blocked():
    for line in open(f"/proc/{pid}/status"):
        if line.startswith("SigBlk:"):
            return int(line.split()[1], 16) & 1 << 14
while not is_blocked():  # the main thread waits for the writer, to be replaced then
    pass
os.kill(pid, 15)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_exec_does_not_lose_it(record: Recorder) -> None:
    """It comes to another thread, is put off, and meanwhile all is written: it ends the
    process all the same."""
    record(BEFORE_EXEC)
    assert record.stdout == "-15\n"


IN_C_CODE = """\
import ctypes, os, threading, tracer._core

ready = os.pipe()
pid = os.fork()
if pid == 0:
    held = os.pipe()
    threading.Thread(target=tracer._core.await_signal, args=(held[1],), daemon=True).start()
    os.read(held[0], 1)  # from now on the writer waits for that lock
    os.write(ready[1], b"x")
    ctypes.CDLL(None).sleep(1000)
    print("woken", flush=True)
    os._exit(7)
os.read(ready[0], 1)
os.kill(pid, 15)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_no_call_fails(record: Recorder) -> None:
    """C code is not told that a call of it was interrupted: without us it would be dead."""
    record(IN_C_CODE)
    assert record.stdout == "-15\n"


FIRST_OF_A_CONTAINER = """\
import os, signal, sys
try:
    os.unshare(os.CLONE_NEWPID)
except OSError as error:
    sys.exit(print(f"no: {error}"))
ready, release = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    assert os.getpid() == 1
    os.write(ready[1], b"x")
    os.read(release[0], 1)
    os._exit(7)
os.read(ready[0], 1)
os.kill(pid, signal.SIGTERM)
os.write(release[1], b"x")
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "unshare"), reason="needs Python 3.12")
def test_survives(record: Recorder) -> None:
    """The kernel spares process 1 of a container that sets no handler; so it goes on."""
    trace = record(FIRST_OF_A_CONTAINER)
    if record.stdout.startswith("no"):
        pytest.skip(record.stdout)
    assert record.stdout == "7\n"
    _, child = read_strict(trace.read_bytes()).processes
    assert child.events[-1].name == s.RECORDING_ENDED
