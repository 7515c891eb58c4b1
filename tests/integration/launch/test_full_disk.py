"""If writing the file fails, one line and the trace say so, and the program runs on.

The limit on the size of a file stands for a full disk: the writes fail in the same way.
"""

import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import tracer
from tests.conftest import PROGRAM_TIMEOUT_S, Recorder
from tests.support.launching import wait_until
from tests.support.validator.rules import validate
from tracer import _core
from tracer import schema as s
from tracer.errors import TraceFileError
from viewer.analysis.endings import How, end_of
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.broad

LIMIT_BYTES = 40_000
SPARE_BYTES = 64 << 10  # the last page, and what the file system notes about the others
# Sets the limit, and becomes the command that follows.
LIMITED = (
    "import os, resource, sys; "
    f"resource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT_BYTES}, {LIMIT_BYTES})); "
    "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)
LOGS = """\
import sys, tracer
for number in range(20_000):
    tracer.log("entry", number=number)
print("done", flush=True)
"""
CUT = re.compile(
    r"tracer: cannot write (\S+) to its end: File too large: "
    r"the last .+ \(([\d,]+) events\) are missing"
)


def limited(directory: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Runs a program under `tracer run -o cut.pftrace` with a limit on file sizes."""
    (directory / "prog.py").write_text(source)
    run = ["-m", "tracer", "run", "--no-profile", *options, "-o", "cut.pftrace", "prog.py"]
    return subprocess.run(
        [sys.executable, "-c", LIMITED, *run],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
        check=False,
    )


@pytest.mark.parametrize("answer", ["SIG_IGN", "SIG_DFL", "getsignal"])
def test_said_at_the_end_and_in_the_trace(
    record: Recorder, tmp_path: Path, answer: str
) -> None:
    """Both give the same amount missing; SIGXFSZ is never sent to the program."""
    prepare = f"import signal\nsignal.signal(signal.SIGXFSZ, signal.{answer})\n"
    if answer == "getsignal":
        prepare = "import signal\nsignal.signal(signal.SIGXFSZ, lambda *_: print('sent'))\n"
    done = limited(tmp_path, prepare + LOGS)
    assert (done.returncode, done.stdout) == (0, "done\n")
    told, summary = done.stderr.splitlines()
    found = CUT.fullmatch(told)
    assert found
    assert found[1] == "cut.pftrace"
    assert "-> cut.pftrace. Next: tracer report cut.pftrace" in summary
    trace = tmp_path / "cut.pftrace"
    assert LIMIT_BYTES - 1_000 < trace.stat().st_size <= LIMIT_BYTES
    report = record.tracer("report", "cut.pftrace", "--json")
    (end,) = json.loads(report.stdout)["health"]["ends"]
    assert end["how"] == "cut"
    assert f"{end['missing_events']:,}" == found[2]
    assert end["missing_ns"] > 0
    text = record.tracer("report", "cut.pftrace", "--section", "health").stdout
    flat = " ".join(text.split())
    assert "the file was cut by the limit on file sizes (File too large): the last" in flat
    assert "a crash ended the program" not in flat


def test_nothing_that_was_written_is_lost(tmp_path: Path) -> None:
    """The entries in the file are the first ones, without a gap, and the rest is counted."""
    done = limited(tmp_path, LOGS, "--no-gil", "--no-io", "--no-sched", "--no-cpu")
    found = CUT.search(done.stderr)
    assert found
    trace = tmp_path / "cut.pftrace"
    logs = [log for log in validate(trace.read_bytes()).user.logs if log.name == "entry"]
    assert [log.args["number"] for log in logs] == list(range(len(logs)))
    # Besides the entries that are missing: counters, and the end.
    assert 20_000 - len(logs) <= int(found[2].replace(",", "")) <= 20_000 - len(logs) + 100


def test_killed_later(tmp_path: Path) -> None:
    """The trace says why it is cut, although the amount missing is unknown."""
    (tmp_path / "prog.py").write_text(LOGS + "sys.stdin.read()\n")
    run = ["-m", "tracer", "run", "-o", "cut.pftrace", "prog.py"]
    trace = tmp_path / "cut.pftrace"
    with subprocess.Popen(
        [sys.executable, "-c", LIMITED, *run],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"done\n"
        wait_until(lambda: read_trace(trace).processes[0].recording_cut is not None)
        live = read_trace(trace)
        process.send_signal(signal.SIGKILL)
    (found,) = live.processes
    assert end_of(found, live.live).text == (
        "the file was cut by the limit on file sizes (File too large): "
        f"what the program (pid {process.pid}) does now is missing."
    )
    dead = read_trace(trace)
    assert not dead.live
    end = end_of(dead.processes[0], dead.live)
    assert end.how is How.CUT
    assert end.text.endswith(f"what the program (pid {process.pid}) did then is missing.")


@pytest.mark.parametrize("is_killed", [False, True])
def test_takes_no_more_of_the_disk_than_it_says(tmp_path: Path, is_killed: bool) -> None:
    """What the recorder has set aside before it writes much at once is not left over."""
    kind = subprocess.run(["stat", "-f", "-c", "%T", tmp_path], capture_output=True, text=True)
    if kind.stdout != "ext2/ext3\n":
        pytest.skip("other file systems set aside what they like")
    logs = LOGS + "tracer.log('the last one')\nsys.stdin.read()\n"
    (tmp_path / "prog.py").write_text(logs)
    run = [sys.executable, "-m", "tracer", "run", "--no-profile", "-o", "a.pftrace", "prog.py"]
    trace = tmp_path / "a.pftrace"
    with subprocess.Popen(
        run, cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        # In the midst of a write, some of what was set aside is not yet used.
        wait_until(lambda: trace.exists() and b"the last one" in trace.read_bytes())
        if is_killed:
            process.send_signal(signal.SIGKILL)
        else:
            process.stdin.close()
    validate(trace.read_bytes())
    about = trace.stat()
    assert about.st_blocks * 512 < about.st_size + SPARE_BYTES


def test_said_by_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is one line on stderr and in the totals; the process itself is unaffected."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    path = tmp_path / "cut.pftrace"
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT_BYTES, limit[1]))
        tracer.start(path, signals=["threads"])
        for number in range(20_000):
            tracer.log("entry", number=number)
        totals = tracer.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
    assert totals is not None
    assert totals.lost > 0
    assert capsys.readouterr().err == (
        f"tracer: cannot write {path} to its end: {totals.problem}\n"
    )
    found = validate(path.read_bytes())
    assert found.names[s.RECORDING_CUT] == 1
    # The note stands in the file, but is none of the recorded events.
    assert totals.events == found.events - 1


def test_closed_by_the_program(record: Recorder) -> None:
    """Where it is in the writer's own table, the program cannot: then nothing is missing."""
    trace = record(
        """
import os, sys
for name in os.listdir("/proc/self/fd"):
    try:
        if os.readlink(f"/proc/self/fd/{name}") == sys.argv[1]:
            os.close(int(name))
            print("closed")
    except OSError:
        pass
""",
        str(record.directory / "recorded0.pftrace"),
    )
    cut = "to its end: the program closed the file: the last"
    assert (cut in record.stderr) == ("closed" in record.stdout)
    if not record.stdout:
        assert validate(trace.read_bytes()).names[s.RECORDING_ENDED] == 1


def test_deleted_while_the_program_runs(record: Recorder) -> None:
    """Nobody is told to look at a file that is not there."""
    path = record.directory / "recorded0.pftrace"
    record("import os, sys; os.unlink(sys.argv[1])", str(path))
    (line,) = record.stderr.splitlines()
    assert re.fullmatch(
        r"tracer: cannot write \S+ to its end: somebody deleted the file: "
        r"the last .+ \([\d,]+ events\) are missing",
        line,
    )
    assert not path.exists()


@pytest.mark.parametrize("is_new", [False, True])
def test_renamed_while_the_program_runs(record: Recorder, is_new: bool) -> None:
    """As logrotate does: what was FILE becomes whole, and a new FILE is left alone."""
    path = record.directory / "recorded0.pftrace"
    source = f"""
import os, subprocess, sys
os.rename(sys.argv[1], sys.argv[1] + ".1")
subprocess.run([sys.executable, "-c", "pass"], check=True)
if {is_new}:
    open(sys.argv[1], "w").write("somebody's")
"""
    record(source, str(path))
    renamed = path.with_name(f"{path.name}.1")
    (line,) = record.stderr.splitlines()
    assert line.endswith(
        f"1 child process recorded -> {renamed}. Next: tracer report {renamed}"
    )
    assert len(validate(renamed.read_bytes()).processes) == 2
    assert not path.with_name(f"{path.name}.d").exists()
    assert path.exists() is is_new
    if is_new:
        assert path.read_text() == "somebody's"
        path.unlink()  # it is no trace


def test_replaced_while_the_program_runs(record: Recorder) -> None:
    """The children's traces are not appended to whatever has the name now."""
    path = record.directory / "recorded0.pftrace"
    source = """
import os, subprocess, sys
subprocess.run([sys.executable, "-c", "pass"], check=True)
with open("other", "w") as other:
    other.write("the user's")
os.rename("other", sys.argv[1])
"""
    record(source, str(path))
    deleted, others = record.stderr.splitlines()
    assert "to its end: somebody deleted the file" in deleted
    assert others == (
        f"tracer: children: {path} is another file now; their traces stay in {path}.d"
    )
    assert path.read_text() == "the user's"
    path.unlink()  # it is no trace
    (child,) = path.with_name(f"{path.name}.d").glob("*.pftrace")
    assert validate(child.read_bytes()).processes


def test_a_pipe_nobody_reads(tmp_path: Path) -> None:
    """SIGPIPE is not sent to the program either."""
    source = "import signal; signal.signal(signal.SIGPIPE, signal.SIG_DFL); input()"
    reader, writer = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-m", "tracer", "run", "-o", f"/dev/fd/{writer}", "-c", source],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[writer],
        text=True,
    ) as process:
        os.close(writer)
        assert os.read(reader, 1)  # it records
        os.close(reader)
        _, said = process.communicate("\n", timeout=PROGRAM_TIMEOUT_S)
    assert process.returncode == 0
    assert "to its end: Broken pipe: the last" in said


@pytest.mark.parametrize("force", [(), ("--force",)])
def test_full_from_the_beginning(record: Recorder, force: tuple[str, ...]) -> None:
    """The file is refused by name, and the program does not run."""
    done = record.tracer("run", *force, "-o", "/dev/full", "-c", "print('ran')")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "tracer: cannot write '/dev/full': No space left on device.\n"
    with pytest.raises(TraceFileError, match=r"^cannot write '/dev/full': No space left"):
        tracer.start("/dev/full")
    assert not _core.is_recording()


def test_no_memory_for_the_buffer(record: Recorder) -> None:
    """The fault is the recorder's own: the program runs, and a line gives the reason."""
    few = "import resource; resource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32)); "
    become = "import os, sys; os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    run = ["-m", "tracer", "run", "--buffer", "64G", "-o", "a.pftrace", "-c", "print('ran')"]
    done = subprocess.run(
        [sys.executable, "-c", few + become, *run],
        cwd=record.directory,
        capture_output=True,
        text=True,
        timeout=PROGRAM_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert done.stderr == (
        "tracer: cannot record on this interpreter: no memory for the buffer: "
        "Cannot allocate memory. The program runs without a trace.\n"
    )


ONE_CHILD = f"""\
import os, resource, sys, tracer

def child(limit_bytes):
    pid = os.fork()
    if pid == 0:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
        for number in range(20_000):
            tracer.log("entry", number=number)
        print("done", flush=True)
        sys.exit(3)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)

child(resource.RLIM_INFINITY)
child({LIMIT_BYTES})
child(resource.RLIM_INFINITY)
"""


def test_one_child_alone_meets_a_full_disk(record: Recorder) -> None:
    """It runs on, its trace says where it ends; those of its relatives are whole."""
    trace = record(ONE_CHILD, options=("--no-profile", "--no-cpu"))
    assert record.stdout == "done\n3\n" * 3
    found = validate(trace.read_bytes())
    first, whole, cut, another = found.processes
    entries = Counter(entry.pid for entry in found.user.logs)
    assert entries[whole] == entries[another] == 20_000
    assert entries[cut] < 20_000
    ends = {each.pid: end_of(each, live=False).how for each in read_trace(trace).processes}
    assert ends == {first: How.ENDED, whole: How.ENDED, cut: How.CUT, another: How.ENDED}
