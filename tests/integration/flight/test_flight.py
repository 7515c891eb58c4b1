"""Flight recordings of real programs: what a snapshot has, what a dead process leaves."""

import json
import signal
from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.flights import Runner, summary
from tests.support.validator.rules import validate
from tracer import schema as s
from viewer.trace.rings import read_ring

pytestmark = pytest.mark.broad

# Segments begin every 125 ms, so that after this time the first ones are gone.
LATER_S = 1.6


def test_a_task_that_waits_since_the_beginning(run: Runner) -> None:
    """It is in a snapshot with its true begin, while the beginning is not."""
    run(
        f"""
import asyncio

async def waits():
    await asyncio.Event().wait()

async def main():
    task = asyncio.create_task(waits(), name="old")
    tracer.log("the beginning")
    for _ in range(int({LATER_S} / 0.01)):
        await asyncio.sleep(0.01)
    print(tracer.snapshot("late.pftrace", reason="a look"))
    task.cancel()

asyncio.run(main())
"""
    )
    found = summary(run.folder / "late.pftrace")
    (old,) = [task for task in found.tasks.values() if task.name == "old"]
    assert old.states == ["await Event"]
    recording = old.slices[0].begin.process.events[0]
    since_ns, began_ns = recording.time_ns, int(recording.args[s.ARG_BEGAN])
    assert began_ns < old.slices[0].start_ns < since_ns
    assert "the beginning" not in found.names
    assert found.names[s.SNAPSHOT] == 1
    assert run.left() == []


def test_a_snapshot_names_itself(run: Runner, record: Recorder) -> None:
    """Without a path it goes into the folder; the report says why it was taken."""
    path = run("print(tracer.snapshot(reason='too slow'), end='')")
    assert Path(path).parent == run.ring
    assert run.left() == [".pftrace"]
    report = json.loads(record.tracer("report", path, "--json").stdout)
    flight = report["trace"]["flight"]
    assert (flight["snapshot"], flight["reason"]) == (True, "too slow")
    assert flight["asked_ns"] == 1_000_000_000 > flight["reaches_ns"] > 0
    assert report["health"]["ends"][0]["how"] == "snapshot"


def test_killed(run: Runner, record: Recorder) -> None:
    """The ring of a dead process is a trace; so is the folder that it lies in."""
    run(
        f"""
import os, subprocess, time
end = time.monotonic() + {LATER_S}
with tracer.region("open"):
    while time.monotonic() < end:
        time.sleep(0.001)
        tracer.log("tick")
    subprocess.run(["sh", "-c", f"kill -9 {{os.getpid()}}"])
""",
        expect=-signal.SIGKILL,
    )
    assert run.left() == [".ring"]
    (ring,) = run.ring.iterdir()
    data, live = read_ring(ring)
    assert not live
    found = validate(data)
    assert found.names["tick"] > 0
    assert found.names["open"] == 1
    for path in (ring, run.ring):
        told = json.loads(record.tracer("report", str(path), "--json").stdout)
        assert told["trace"]["flight"]["snapshot"] is False
        assert told["health"]["ends"][0]["how"] == "unknown"


def test_a_crash(run: Runner) -> None:
    """The recording has an end then, and stays all the same."""
    run("import os\nos.abort()", expect=-signal.SIGABRT)
    (ring,) = run.ring.iterdir()
    assert validate(read_ring(ring)[0]).names[s.RECORDING_ENDED] == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_server_that_was_told_to_stop(run: Runner, number: signal.Signals) -> None:
    """It ends by itself, by the signal that it had got, as uvicorn does."""
    run(
        f"""
import signal
signal.signal({number}, signal.SIG_DFL)
signal.raise_signal({number})
""",
        expect=-number,
    )
    assert list(run.ring.iterdir()) == []


def test_a_live_ring(run: Runner) -> None:
    """It can be read while the process goes on."""
    printed = run(
        """
import json, subprocess, sys, time
for _ in range(30):
    tracer.log("tick")
    time.sleep(0.01)
done = subprocess.run([sys.executable, "-m", "tracer", "report", "ring", "--json"],
                      capture_output=True, check=True)
print(json.loads(done.stdout)["health"]["ends"][0]["how"], end="")
"""
    )
    assert printed == "live"


def test_how_much_it_takes(run: Runner) -> None:
    """The disk space is bounded, and the number of descriptors does not grow."""
    printed = run(
        """
import os, time
(ring,) = os.listdir("ring")

def taken():
    sizes = []
    for name in os.listdir("ring/" + ring):
        try:
            sizes.append(os.stat("ring/" + ring + "/" + name).st_size)
        except FileNotFoundError:
            pass
    return sum(sizes)

before = len(os.listdir("/proc/self/fd"))
text = "x" * 400
for i in range(30_000):  # 12 MB
    tracer.log(text)
    if i % 1000 == 0:
        time.sleep(0.02)
# A pass of the writer, which may come late, may go beyond the limit; the next ones do not, and
# leave out what is older than the seconds asked for.
end = time.monotonic() + 60
while (size := taken()) >= 5 << 20 and time.monotonic() < end:
    tracer.log(text)
    time.sleep(0.05)
print(size, len(os.listdir("/proc/self/fd")) - before)
"""
    )
    bytes_taken, more = map(int, printed.split())
    assert 0 < bytes_taken < 5 << 20
    assert more < 5  # of two dozen files; in the middle of a pass, another may be open


def test_a_file_that_cannot_be_written(run: Runner) -> None:
    """The ring begins anew; what was before is gone, and the program notices nothing."""
    run(
        """
import resource, time
unlimited = resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, unlimited))
for _ in range(20):
    for _ in range(100):
        tracer.log("x" * 100)
    time.sleep(0.02)
resource.setrlimit(resource.RLIMIT_FSIZE, (unlimited, unlimited))
time.sleep(1.2)  # it tries again each second
tracer.log("later")
tracer.snapshot("later.pftrace")
"""
    )
    assert summary(run.folder / "later.pftrace").names["later"] == 1


def test_a_folder_that_is_removed(run: Runner) -> None:
    """Whoever cleans up does not end the recording: it begins anew in a new folder."""
    run(
        """
import os, shutil, time
os.rename("ring", "gone")
shutil.rmtree("gone")
deadline = time.monotonic() + 60
while not os.path.exists("ring") and time.monotonic() < deadline:
    time.sleep(0.01)
tracer.log("later")
tracer.snapshot("later.pftrace")
"""
    )
    assert summary(run.folder / "later.pftrace").names["later"] == 1
    assert run.left() == []


def test_a_forked_child_has_a_ring_of_its_own(run: Runner) -> None:
    printed = run(
        """
import os, signal
print(os.getpid(), flush=True)
pid = os.fork()
if not pid:
    with tracer.region("of the child"):
        tracer.snapshot("child.pftrace")
        os.kill(os.getpid(), signal.SIGSTOP)
os.waitpid(pid, os.WUNTRACED)
rings = [name.split("-")[0] for name in os.listdir("ring") if name.endswith(".ring")]
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
print(*sorted(rings), pid)
"""
    )
    parent, found = printed.splitlines()
    *rings, child = found.split()
    assert sorted(rings) == sorted([parent, child])
    assert run.left() == [".ring"]  # the child's, which was killed
    assert summary(run.folder / "child.pftrace").names["of the child"] == 1


def test_a_new_python_has_a_ring_of_its_own(run: Runner) -> None:
    printed = run(
        """
import subprocess, sys
CHILD = '''
import os, tracer
with tracer.region("of the child"):
    tracer.snapshot("child.pftrace")
    print(*(name.split("-")[0] for name in os.listdir("ring") if name.endswith(".ring")))
'''
subprocess.run([sys.executable, "-c", CHILD], check=True)
"""
    )
    assert len(set(printed.split())) == 2
    assert run.left() == []
    assert summary(run.folder / "child.pftrace").names["of the child"] == 1


def test_of_another_recording(record: Recorder) -> None:
    """A snapshot of a recording that keeps everything is all of it so far."""
    record(
        """
import tracer
tracer.log("early")
tracer.snapshot("all.pftrace")
tracer.log("late")
"""
    )
    found = summary(record.directory / "all.pftrace")
    assert (found.names["early"], found.names["late"]) == (1, 0)


def test_nothing_is_recorded(run: Runner) -> None:
    assert run("tracer.stop()\nprint(tracer.snapshot('no.pftrace'))") == "None\n"


def test_a_file_that_is_no_trace(run: Runner) -> None:
    (run.folder / "mine.txt").write_text("dear diary")
    printed = run(
        """
for name in ("mine.txt", "missing/x.pftrace"):
    try:
        tracer.snapshot(name)
    except tracer.TracerError as error:
        print(error)
"""
    )
    assert printed == (
        f"{str(run.folder / 'mine.txt')!r} exists and is not a trace. Choose another name.\n"
        f"cannot write {str(run.folder / 'missing/x.pftrace')!r}: No such file or directory.\n"
    )


def test_on_the_command_line(record: Recorder) -> None:
    (record.directory / "app.py").write_text("print('done')")
    done = record.tracer("run", "--flight", "2s", "app.py")
    assert (done.returncode, done.stdout) == (0, "done\n")
    assert done.stderr.startswith("tracer: flight recording ended after ")
    assert done.stderr.endswith(", without a snapshot\n")
    assert list((record.directory / "app.flight").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (("--flight", "soon"), "'soon' is not a time such as 30s or 5m"),
        (("--flight", "0.1s"), "'0.1s' is not between 1s and 24h"),
        (("--flight", "9s", "-o", "x.pftrace"), "with --snapshots DIR instead of -o"),
        (("--snapshots", "d"), "--snapshots is for a flight recording: add --flight 30s"),
        (("--flight", "9s", "--snapshots", "app.py"), "it is a file. Give a folder."),
        (("--flight", "9s", "--snapshots", "no/d"), "no directory 'no'. Create it or choose"),
    ],
)
def test_refused(record: Recorder, options: tuple[str, ...], line: str) -> None:
    (record.directory / "app.py").write_text("")
    done = record.tracer("run", *options, "app.py")
    assert done.returncode in (1, 2)
    assert line in done.stderr
    assert done.stderr.count("\n") == 1


def test_nobody_waits_for_the_writer(run: Runner) -> None:
    """It is held up in the middle of a snapshot by a pipe that nobody reads. The program goes
    on, and what the buffers have no room for is counted."""
    printed = run(
        """
import os, threading
tracer.stop()
tracer.flight("ring", buffer_bytes=1 << 20)
for _ in range(5_000):
    tracer.log("x" * 100)  # more than a pipe holds
os.mkfifo("held.pftrace.partial")
asks = threading.Thread(target=tracer.snapshot, args=("held.pftrace",))
asks.start()
with open("held.pftrace.partial", "rb", buffering=0) as pipe:  # when the writer is there
    begun = pipe.read(1)
    for _ in range(100_000):
        tracer.log("y" * 100)  # ten times as much as the buffers hold
    print("went on", asks.is_alive())
    while pipe.read(1 << 16):
        pass
asks.join()
os.unlink("held.pftrace")  # it is the pipe
tracer.snapshot("drained")  # what was lost is told by this thread's next event
tracer.log("later")
tracer.snapshot("later.pftrace")
print(tracer.stop().dropped > 0)
"""
    )
    assert printed == "went on True\nTrue\n"
    assert summary(run.folder / "later.pftrace").names["later"] == 1
