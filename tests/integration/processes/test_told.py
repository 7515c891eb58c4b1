"""What is told of children beside their own events: how they ended, who started them unseen,
who put what a queue's thread wrote, and who they are in another namespace of pids."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S, Recorder
from tests.support.family import events
from tracer import schema as s
from viewer.analysis.processes.family import Family
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

# The parent of the one in between is told of its end, nobody of the daemon's.
DAEMON = """\
import os, signal, sys
ready, go = os.pipe(), os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.write(ready[1], b"%7d" % os.getpid())
        os.read(go[0], 1)
        {end}
        sys.exit()
    os._exit(0)
os.wait()
pid = int(os.read(ready[0], 7))
end = os.pidfd_open(pid)
os.write(go[1], b"x")
{outside}
import select
select.select([end], [], [])
"""


@pytest.mark.parametrize(
    ("end", "outside", "said"),
    [
        pytest.param("os._exit(260)", "", {s.ARG_STATUS: 4}, id="an exit code"),
        pytest.param(
            "os.kill(os.getpid(), 9)", "", {s.ARG_SIGNAL: signal.SIGKILL}, id="own signal"
        ),
        pytest.param(
            "signal.pause()",
            "os.kill(pid, signal.SIGTERM)",
            {s.ARG_SIGNAL: signal.SIGTERM},
            id="somebody's SIGTERM",
        ),
        pytest.param("sys.exit(3)", "", {}, id="Python ends: the code is not known yet"),
    ],
)
def test_how_a_daemon_ended(
    record: Recorder, end: str, outside: str, said: dict[str, int]
) -> None:
    trace = record(DAEMON.format(end=end, outside=outside))
    model = build_model(read_trace(trace))
    *_, daemon = Family.of(model).members.values()
    assert daemon.told is None
    (last,) = (e for e in events(trace, s.RECORDING_ENDED) if e.process.pid == daemon.pid)
    known = {
        name: last.args[name] for name in (s.ARG_STATUS, s.ARG_SIGNAL) if name in last.args
    }
    assert known == said
    ended = daemon.ended
    assert (ended is not None) == bool(said)
    if ended is not None:
        assert (ended.status, ended.signal) == (said.get(s.ARG_STATUS), said.get(s.ARG_SIGNAL))


EARLY = """\
import os, sys, tracer
forks = [True]
def fork_once():
    if forks.pop():
        forks.append(False)
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        os.waitpid(pid, 0)
        print(pid, flush=True)
    forks.append(False)
os.register_at_fork(after_in_child=fork_once)  # before tracer's own
with tracer.recording(sys.argv[1]):
    if os.fork() == 0:
        os._exit(0)
    os.wait()
"""


def test_a_child_of_an_earlier_function_at_fork(tmp_path: Path) -> None:
    """It runs before its process records itself: the trace has no such child, and says so."""
    trace = tmp_path / "t.pftrace"
    said = subprocess.check_output(
        [sys.executable, "-c", EARLY, str(trace)], timeout=PROGRAM_TIMEOUT_S
    )
    (event,) = (e for e in events(trace, s.FORK) if e.args[s.ARG_CHILD] == int(said))
    assert event.args[s.ARG_REASON] == "forked before its parent recorded itself"
    assert s.ARG_FOLLOWED not in event.args
    assert int(said) not in {e.process.pid for e in events(trace, s.RECORDING)}


QUEUE = """\
import multiprocessing
def work(queue, ready):
    ready.set()
    while queue.get() is not None:
        ready.set()
if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    queue, ready = context.Queue(), context.Event()
    worker = context.Process(target=work, args=(queue, ready))
    worker.start()
    for n in range(20):
        ready.wait()
        ready.clear()
        queue.put(n)
    ready.wait()
    queue.put(None)
    worker.join()
"""


def test_who_put_what_a_queues_thread_wrote(record: Recorder) -> None:
    """Each message that somebody waited for has the stack of its put()."""
    trace = record(QUEUE)
    for event in events(trace, s.MESSAGE_SENT):
        inner, outer = str(event.args[s.ARG_STACK]).split("\n")[:2]
        assert inner.endswith(" Queue.put")
        assert outer.partition(".py:")[2] in ("14 <module>", "16 <module>")


SPACE = """\
import os, sys
try:
    os.unshare(os.CLONE_NEWPID)
except OSError as error:
    sys.exit(print(f"no: {error}"))
asked, answered = os.pipe(), os.pipe()
pid = os.fork()
if pid == 0:
    for _ in range(50):
        os.read(asked[0], 1)
        os.write(answered[1], b"b")
    os._exit(3)
for _ in range(50):
    os.write(asked[1], b"a")
    os.read(answered[0], 1)
os.waitpid(pid, 0)
print("yes")
"""


@pytest.mark.skipif(not hasattr(os, "unshare"), reason="needs Python 3.12")
def test_another_namespace_of_pids(record: Recorder) -> None:
    """The child, which is process 1 there, is the one whose end the parent is told."""
    trace = record(SPACE)
    if record.stdout.startswith("no"):
        pytest.skip(record.stdout)
    first, child = Family.of(build_model(read_trace(trace))).members.values()
    assert (child.pid, child.parent) == (1, first.process)
    assert child.told is not None
    assert child.told.status == 3
