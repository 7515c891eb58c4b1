"""Forked children record themselves; their files become one with the first process's."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S, Recorder
from tests.support.family import events, folder, has_ended
from tests.support.trace_processor import open_trace
from tests.support.validator.rules import validate
from tracer import schema as s
from tracer.processes.family import Family

TREE = """\
import asyncio, os, threading, tracer

def child(name, then=lambda: None):
    pid = os.fork()
    if pid == 0:
        with tracer.region(name):
            then()
        os._exit(0)
    os.waitpid(pid, 0)

async def inside():
    child("in a loop")
    await asyncio.sleep(0)

child("plain", lambda: child("grandchild"))
asyncio.run(inside())
thread = threading.Thread(target=child, args=("in a thread", lambda: asyncio.run(inside())))
thread.start()
thread.join()
with tracer.region("first"):
    pass
if os.fork() == 0:
    raise SystemExit(0)  # ends like any other program
os.wait()
"""


def test_a_tree_of_forks(record: Recorder) -> None:
    """Whoever forks, each process is in the one file, with its parent and an arrow from it."""
    trace = record(TREE, options=("--no-cpu",))
    found = validate(trace.read_bytes())
    assert has_ended(found)
    assert not folder(trace).exists()
    begun = {event.process.pid: event.args for event in events(trace, s.RECORDING)}
    first = found.processes[0]
    assert len(begun) == 7
    assert len({args[s.ARG_FAMILY] for args in begun.values()}) == 1
    assert begun[first][s.ARG_ORIGIN] == "run"
    assert {args[s.ARG_ORIGIN] for pid, args in begun.items() if pid != first} == {"fork"}
    parents = {event.args[s.ARG_CHILD]: event.process.pid for event in events(trace, s.FORK)}
    assert parents == {
        pid: args[s.ARG_PARENT_PID] for pid, args in begun.items() if pid != first
    }
    assert len(found.user.regions) == 6
    arrows = {flow: event for event in events(trace, s.FORK) for flow in event.flows}
    for started in events(trace, s.PROCESS_STARTED):
        assert arrows[started.ends_flows[0]].args[s.ARG_CHILD] == started.process.pid
    assert " of the first process, " in record.stderr
    assert ", 6 child processes recorded" in record.stderr


def test_not_followed(record: Recorder) -> None:
    trace = record(TREE, options=("--no-follow", "--no-cpu"))
    assert len(validate(trace.read_bytes()).processes) == 1
    assert not events(trace, s.PROCESS_STARTED)
    assert "children not" not in record.stderr
    assert ", 4 child processes not recorded" in record.stderr


ENDS = """\
import os, signal

def child(how):
    pid = os.fork()
    if pid == 0:
        how()
    return pid

def end():
    os.kill(os.getpid(), signal.SIGTERM)

os.wait() if child(lambda: os._exit(0)) else None
os.waitpid(child(lambda: os._exit(3)), 0)
os.wait3(0) if child(end) else None
os.wait4(child(lambda: os._exit(255)), options=0)
os.waitid(os.P_PID, child(end), os.WEXITED)
os.waitid(os.P_PID, child(lambda: os._exit(4)), os.WEXITED)
pid = child(signal.pause)
print(os.waitpid(pid, os.WNOHANG))
os.kill(pid, 9)
os.waitpid(pid, 0)
"""


def test_how_children_end(record: Recorder) -> None:
    """The process that waits for a child has its exit code or signal, whatever it calls."""
    trace = record(ENDS, options=("--no-cpu", "--no-sched"))
    assert record.stdout == "(0, 0)\n"
    children = [event.args[s.ARG_CHILD] for event in events(trace, s.FORK)]
    ended = [event.args for event in events(trace, s.CHILD_ENDED)]
    assert [args[s.ARG_CHILD] for args in ended] == children
    assert [args.get(s.ARG_STATUS) for args in ended] == [0, 3, None, 255, None, 4, None]
    told = [args.get(s.ARG_SIGNAL) for args in ended]
    assert told == [None, None, 15, None, 15, None, 9]


UNREAPED = """\
import os, select

def child():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return pid

os.waitpid(child(), 0)
left = child()
select.select([os.pidfd_open(left)], [], [])
print(left)
"""


def test_a_child_that_ended_and_nobody_waited_for(record: Recorder) -> None:
    """The recorder sees it, and leaves it as it is."""
    trace = record(UNREAPED, options=("--no-cpu", "--no-sched"))
    seen = [event.args[s.ARG_CHILD] for event in events(trace, s.CHILD_UNREAPED)]
    assert seen == [int(record.stdout)]
    record(UNREAPED + "print(os.waitpid(left, 0)[0] == left)\n", options=("--no-cpu",))
    assert record.stdout.endswith("True\n")


NAMED = """\
import multiprocessing

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    pool = context.Pool(1)
    pool.apply(abs, (-1,))
    pool.close()  # a worker that is terminated loses what was not written yet
    pool.join()
    process = context.Process(target=print, name="mine")
    process.start()
    process.join()
    print(process.exitcode)
"""


def test_names_of_multiprocessing(record: Recorder) -> None:
    """Its processes have the program's names, and end as their parent is told."""
    trace = record(NAMED, options=("--no-cpu",))
    assert record.stdout == "\n0\n"
    named = [event.args[s.ARG_NAME] for event in events(trace, s.PROCESS_NAMED)]
    assert named == ["ForkPoolWorker-1", "mine"]
    ends = {
        e.args[s.ARG_CHILD]: e.args.get(s.ARG_STATUS) for e in events(trace, s.CHILD_ENDED)
    }
    (mine,) = (
        e.process.pid for e in events(trace, s.PROCESS_NAMED) if e.args[s.ARG_NAME] == "mine"
    )
    assert ends[mine] == 0
    with open_trace(trace) as tp:
        rows = tp.query("SELECT pid, name FROM process WHERE pid")
    shown = {row["pid"]: row["name"] for row in rows}
    for event in events(trace, s.PROCESS_NAMED):
        assert shown.pop(event.process.pid) == event.args[s.ARG_NAME]
    (program,) = shown.values()  # the first process, which nobody gave a name
    assert program.endswith("program0.py")


DAEMON = """\
import os, sys
ready, done = os.pipe(), os.pipe()
if os.fork() == 0:  # a double fork: its parent is gone
    if os.fork() == 0:
        os.setsid()
        os.write(ready[1], b"x")
        os.read(0, 1)  # until the test says so
        os.write(done[1], b"x")
        os._exit(0)
    os._exit(0)
os.wait()
os.read(ready[0], 1)
"""


def test_a_daemon_goes_on(tmp_path: Path) -> None:
    """Its file stays, is named, and ends properly; the next run removes it."""
    (tmp_path / "prog.py").write_text(DAEMON)
    run = [sys.executable, "-m", "tracer", "run", "--no-profile", "--no-cpu", "prog.py"]
    with subprocess.Popen(
        run,
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        assert process.stdin is not None
        assert process.stdout is not None
        said = process.stderr.readline() + process.stderr.readline()
        (left,) = folder(tmp_path / "prog.pftrace").glob("*.pftrace")
        assert f"{left.name.partition('-')[0]} still run".encode() in said
        assert b"2 child processes recorded" in said
        process.stdin.write(b"x")
        process.stdin.close()
        process.stdout.read()  # until it has ended
    assert validate(left.read_bytes()).names[s.RECORDING_ENDED] == 1
    first = validate((tmp_path / "prog.pftrace").read_bytes())
    assert len(first.processes) == 2
    (tmp_path / "prog.py").write_text("pass")
    subprocess.run(
        run, cwd=tmp_path, check=True, capture_output=True, timeout=PROGRAM_TIMEOUT_S
    )
    assert not left.parent.exists()


KILLED = """\
import os, signal, tracer
ready = os.pipe()
pids = []
for _ in range(3):
    pid = os.fork()
    if pid == 0:
        for number in range(2000):
            tracer.log("said")
        os.write(ready[1], b"x")
        signal.pause()
    pids.append(pid)
for pid in pids:
    os.read(ready[0], 1)
for pid in pids:
    os.kill(pid, 9)
    os.waitpid(pid, 0)
"""


def test_killed_children(record: Recorder) -> None:
    """What they wrote is in the file; theirs alone has no end."""
    found = validate(record(KILLED, options=("--no-cpu",)).read_bytes())
    assert len(found.processes) == 4
    assert found.names[s.RECORDING] == 4
    assert found.names[s.RECORDING_ENDED] == 1


MANY = """\
import os
for _ in range(60):
    if os.fork() == 0:
        os._exit(0)
    os.wait()
"""


def test_many_short_lived_children(record: Recorder) -> None:
    """Each is there, with numbers of its own."""
    trace = record(MANY, options=("--no-cpu", "--no-sched"))
    found = validate(trace.read_bytes())
    assert len(events(trace, s.PROCESS_STARTED)) == 60
    assert has_ended(found)


def test_no_more_files_than_allowed(record: Recorder) -> None:
    trace = record(MANY, options=("--max-files", "4", "--no-cpu", "--no-sched"))
    assert len(validate(trace.read_bytes()).processes) == 4
    assert ", 3 child processes recorded, 57 child processes not recorded" in record.stderr


WRITES = """\
import os, tracer
for _ in range(2):
    if os.fork() == 0:
        for number in range(20_000):
            tracer.log(f"number {number} of a text that is not interned")
        os._exit(0)
    os.wait()
"""


def test_no_more_bytes_than_allowed(record: Recorder) -> None:
    """All together; those that reach the limit say so, as on a full disk."""
    trace = record(WRITES, options=("--max-bytes", "1M", "--no-cpu", "--no-sched"))
    found = validate(trace.read_bytes())
    assert found.names[s.RECORDING_CUT] >= 1
    assert trace.stat().st_size < 1 << 20


def test_a_folder_that_cannot_be_made(record: Recorder) -> None:
    """The program runs, its children unrecorded, and both line and trace say why."""
    folder(record.directory / "recorded0.pftrace").write_text("mine")
    trace = record(MANY.replace("60", "2"))
    assert len(validate(trace.read_bytes()).processes) == 1
    assert "tracer: children: not recorded: " in record.stderr
    assert ", 2 child processes not recorded" in record.stderr
    assert folder(trace).read_text() == "mine"


HINDERED = """\
import os, subprocess, sys

def child():
    if os.fork() == 0:
        os._exit(0)
    os.wait()

folder = sys.argv[1]
open(folder, "w").close()  # for the moment nothing can be made there
child()
os.unlink(folder)
child()
os.rename(folder, "elsewhere")
child()
subprocess.run([sys.executable, "-c", ""], check=True)
os.rename("elsewhere", folder)
child()
"""


def test_what_hinders_one_child_hinders_no_other(record: Recorder) -> None:
    """Those that find no folder run unrecorded, and are counted as such."""
    place = folder(record.directory / "recorded0.pftrace")
    trace = record(HINDERED, str(place), options=("--no-cpu", "--no-sched"))
    found = validate(trace.read_bytes())
    assert len(found.processes) == 1 + 2
    assert has_ended(found)
    assert ", 2 child processes recorded, 3 child processes not recorded" in record.stderr
    assert "tracer: children:" not in record.stderr
    assert not place.exists()


def test_one_pid_of_several_children(tmp_path: Path) -> None:
    """Each file is a process of its own, but for one that became another program."""

    class Core:
        lock_file = append_trace = staticmethod(lambda *_: True)
        family_counts = staticmethod(lambda: (4, 4, 1, ""))

    (tmp_path / "t.pftrace").write_bytes(b"")
    family = Family(str(tmp_path / "t.pftrace"))
    Path(family.folder).mkdir()
    names = {"5-1": "one", "5-2": "other", "6-3": "first", "6-4": "then", "0-5": ""}
    for name, text in names.items():
        later = family.began_ns + int(name[2:])
        Path(family.folder, f"{name[:2]}{later}.pftrace").write_text(text)
    family.join(Core())  # type: ignore[arg-type]
    (tmp_path / "t.pftrace").unlink()
    assert (family.joined, family.children) == (4, 3)


PREEXEC = """\
import subprocess
subprocess.run(["true"], preexec_fn=lambda: None)
"""


@pytest.mark.filterwarnings("ignore")
def test_a_child_that_executes_another_program(record: Recorder) -> None:
    trace = record(PREEXEC)
    assert len(validate(trace.read_bytes()).processes) == 1
    assert not folder(trace).exists()


OWN = """\
import os, tracer
tracer.start("parent.pftrace", signals=["threads"])
if os.fork() == 0:
    tracer.log("in the family's")
    assert tracer.stop() is None
    tracer.start("own.pftrace", signals=["threads"])
    tracer.log("in its own")
    raise SystemExit(0)
os.wait()
tracer.stop()
"""


def test_a_child_that_records_itself(tmp_path: Path) -> None:
    """Its own recording takes over from there; both are complete."""
    subprocess.run(
        [sys.executable, "-c", OWN], cwd=tmp_path, check=True, timeout=PROGRAM_TIMEOUT_S
    )
    parent, own = (
        validate((tmp_path / name).read_bytes()) for name in ("parent.pftrace", "own.pftrace")
    )
    assert has_ended(parent)
    assert has_ended(own)
    assert (len(parent.processes), len(own.processes)) == (2, 1)
    assert parent.names["in the family's"] == own.names["in its own"] == 1
    assert not folder(tmp_path / "parent.pftrace").exists()
