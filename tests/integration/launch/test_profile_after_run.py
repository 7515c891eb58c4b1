"""`tracer run` leaves a CPU profile beside the trace, without making anybody wait."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROGRAM_TIMEOUT_S, Recorder
from tests.support.launching import wait_until
from tracer import _core
from viewer.commands.profiles import profile_of

pytestmark = pytest.mark.broad

BURN = """\
import sys, time
def burn():
    until = time.thread_time() + 0.3
    while time.thread_time() < until:
        pass
burn()
"""


def run(directory: Path, source: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    (directory / "prog.py").write_text(source)
    command = [sys.executable, "-m", "tracer", "run", *options, "prog.py"]
    return subprocess.run(
        command, cwd=directory, capture_output=True, timeout=PROGRAM_TIMEOUT_S, check=False
    )


def wait_for(path: Path) -> None:
    wait_until(path.exists)


def test_profile(tmp_path: Path) -> None:
    """Beside the trace, by its name, whole as soon as it is there; the exit code is the
    program's."""
    done = run(tmp_path, BURN + "sys.exit(7)")
    assert done.returncode == 7
    profile = tmp_path / "prog.cpu.pprof"
    wait_for(profile)
    found = profile_of(profile, "cpu")
    assert any(sample.frames[0].function == "prog.burn" for sample in found.samples)


WAITS = """\
import threading
lock = threading.Lock()
lock.acquire()
lock.acquire(timeout=0.2)
"""


def test_wall(tmp_path: Path) -> None:
    """--wall writes a second profile, where blocked threads are."""
    done = run(tmp_path, WAITS, "--wall", "--no-profile")
    assert b"--wall" not in done.stderr
    profile = tmp_path / "prog.wall.pprof"
    wait_for(profile)
    found = profile_of(profile, "wall")
    assert found.types[-1] == ("wall", "nanoseconds")
    assert ("lock", "prog.<module>", 4) in {
        (dict(sample.labels)["state"], sample.frames[0].function, sample.frames[0].line)
        for sample in found.samples
    }
    assert not any("not recorded" in comment for comment in found.comments)
    assert not (tmp_path / "prog.cpu.pprof").exists()


def test_wall_needs_the_waits(tmp_path: Path) -> None:
    """One line on stderr, and the profile, say what is missing."""
    done = run(tmp_path, WAITS, "--wall", "--no-gil", "--no-locks", "--no-cpu")
    told = [line for line in done.stderr.decode().splitlines() if "--wall" in line]
    assert told == ["tracer: --wall: its waits are incomplete without gil, locks"]
    profile = tmp_path / "prog.wall.pprof"
    wait_for(profile)
    assert [
        comment
        for comment in profile_of(profile, "wall").comments
        if comment.startswith("not recorded")
    ] == [
        "not recorded: what threads compute",
        "not recorded: waits for locks",
        "not recorded: waits for the GIL",
    ]


@pytest.mark.parametrize(
    ("source", "options"),
    [
        pytest.param(BURN, ("--no-profile",), id="--no-profile"),
        pytest.param(BURN, ("--no-cpu",), id="--no-cpu"),
        pytest.param(BURN + "import ctypes; ctypes.CDLL(None)._exit(0)", (), id="no end"),
    ],
)
def test_no_profile(tmp_path: Path, source: str, options: tuple[str, ...]) -> None:
    """No process is left behind where no profile was asked for or can be had."""
    source += "\nimport os\n"
    assert run(tmp_path, source, *options).returncode == 0
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = status.read_bytes()
        except OSError:
            continue  # gone
        assert b"derive_quietly" not in words or os.fsencode(tmp_path) not in words


def test_a_file_in_its_place_stays(tmp_path: Path) -> None:
    """A file that is not a profile is not replaced."""
    mine = tmp_path / "prog.cpu.pprof"
    mine.write_text("mine")
    trace = tmp_path / "prog.pftrace"
    assert run(tmp_path, BURN).returncode == 0
    # A second recording whose profile is in another place: when that is there, the first has
    # had its chance, too.
    assert run(tmp_path, BURN, "-o", "b.pftrace").returncode == 0
    wait_for(tmp_path / "b.cpu.pprof")
    assert trace.exists()
    assert mine.read_text() == "mine"


def test_read_at_once(tmp_path: Path, record: Recorder) -> None:
    """`tracer run … && tracer pprof X.cpu.pprof`: the reader waits for the profile."""
    assert run(tmp_path, BURN, "--wall").returncode == 0
    for type_ in ("wall", "cpu"):
        done = record.tracer("pprof", f"prog.{type_}.pprof", "--top")
        assert (done.returncode, "prog.burn" in done.stdout) == (0, True), done.stderr
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_waiting_for_a_profile(tmp_path: Path, record: Recorder) -> None:
    """A reader waits while the unfinished profile is locked; one that nobody writes is not
    waited for."""
    assert run(tmp_path, BURN, "-o", "whole.pftrace").returncode == 0
    wait_for(tmp_path / "whole.cpu.pprof")
    partial = tmp_path / ".late.cpu.pprof.1"
    partial.touch()
    missing = record.tracer("pprof", "late.cpu.pprof", "--top")
    assert (missing.returncode, missing.stderr) == (
        1,
        "tracer: cannot read 'late.cpu.pprof': No such file or directory.\n",
    )
    with partial.open("wb") as file:
        assert _core.lock_file(file.fileno())
        with subprocess.Popen(
            [sys.executable, "-m", "tracer", "pprof", "late.cpu.pprof", "--top"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as reader:
            assert reader.stderr is not None
            assert reader.stderr.readline() == ("tracer: late.cpu.pprof is being written …\n")
            assert reader.poll() is None
            file.write((tmp_path / "whole.cpu.pprof").read_bytes())
            file.flush()
            partial.rename(tmp_path / "late.cpu.pprof")
            file.close()
            out, told = reader.communicate(timeout=PROGRAM_TIMEOUT_S)
    assert (reader.returncode, told) == (0, "")
    assert "prog.burn" in out


@pytest.mark.parametrize("options", [(), ("--no-profile",)])
def test_no_profile_of_another_run(tmp_path: Path, options: tuple[str, ...]) -> None:
    """A run that ends without one does not leave the former run's beside its trace."""
    assert run(tmp_path, BURN, "--wall").returncode == 0
    profiles = [tmp_path / f"prog.{type_}.pprof" for type_ in ("cpu", "wall")]
    for profile in profiles:
        wait_for(profile)
    assert run(tmp_path, "import ctypes; ctypes.CDLL(None)._exit(0)", *options).returncode == 0
    assert not any(profile.exists() for profile in profiles)


@pytest.mark.parametrize("ending", ["os._exit(3)", "os.kill(os.getpid(), 15)"])
def test_a_program_that_ends_itself_has_one(tmp_path: Path, ending: str) -> None:
    run(tmp_path, f"{BURN}import os\n{ending}\n")
    wait_for(tmp_path / "prog.cpu.pprof")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    """One line says so."""
    (tmp_path / "prog.cpu.pprof").mkdir()
    done = run(tmp_path, BURN)
    assert done.returncode == 0
    told = done.stderr.decode().splitlines()[-1]
    path = tmp_path / "prog.cpu.pprof"
    assert told == f"tracer: no cpu profile: {path} exists and is something else"
    assert [path.name for path in tmp_path.glob(".*")] == []
