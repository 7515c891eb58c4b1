"""A child that its parent terminates has written everything before."""

from tests.conftest import Recorder
from tests.support.validator.strict import read_strict
from tracer import schema as s

PROGRAM = """\
import multiprocessing, os, signal, tracer

def child(ready, release):
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    with tracer.region("last"):
        pass
    os.write(ready, b"x")
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


def test_terminated_in_the_midst(record: Recorder) -> None:
    """The signal ends it, as it would have; what it did right before is in the trace."""
    trace = read_strict(record(PROGRAM, options=("--no-cpu",)).read_bytes())
    assert record.stdout == "-15\n"
    _, child = trace.processes
    names = [event.name for event in child.events]
    assert "last" in names
    assert names[-1] == s.RECORDING_ENDED
    (told,) = [event for event in trace.events if event.name == s.CHILD_ENDED]
    assert told.args == {s.ARG_CHILD: child.pid, s.ARG_SIGNAL: 15}
