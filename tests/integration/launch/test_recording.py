"""What `tracer run` adds around a program: the recording, one line at the end, refusals.

The recorder is a stand-in beside a copy of the launcher, so that tests control it.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import tracer
from tests.support.launching import TIMEOUT_S, run

PACKAGE = Path(tracer.__file__).parent
SUMMARY = (
    "tracer: tasks: seen late\n"
    "tracer: children: 77 still run, and their traces stay in a.pftrace.d\n"
    "tracer: 2.31 s, 48,210 events of the first process, 831.5 kB, 0 dropped, "
    "2 child processes recorded, "
    "3 child processes not recorded, longest wait to run 31.2 ms (tick) -> a.pftrace. "
    "Next: tracer report a.pftrace\n"
)
STAND_IN = """\
import os, sys
Options = type(sys.implementation)  # a simple namespace that costs no import

class Recording:
    blind_spots = [("tasks", "seen late")]
    def __init__(self, options): self.options = options
    def start(self):
        {start}
    def problems(self): return []
    is_discarded = False
    family = Options(problem="", running=["77-5.pftrace"], renamed="")
    def stop(self, *, discards):
        assert not discards
        {stop}
        return Options(duration_ns=2_310_000_000, events=48210, bytes=831_488, dropped=0,
                       children=3, children_recorded=2, samples=0, problem="",
                       worst_ready_ns=31_200_000, worst_ready_who="tick")
"""
SETTINGS = (
    "cpu_hz=50,heap_rate=999,io_threshold_us=7,stack_depth=8,profile=0,"
    "control=1,follow=1,most_bytes=90,most_files=4"
)
ORDER = f"file 1048576 tasks,gc keep {SETTINGS} a.pftrace"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of our package that has everything but a recorder."""
    copy = tmp_path / "elsewhere" / "tracer"
    for folder in FOLDERS:
        shutil.copytree(PACKAGE / folder, copy / folder)
    for path in (*PACKAGE.glob("_core*.so"), *(PACKAGE / name for name in FILES)):
        shutil.copy(path, copy)
    return copy


FILES = (
    *("__init__.py", "api.py", "api_absent.py"),
    *("launch.py", "errors.py", "units.py", "output.py", "totals.py"),
)
FOLDERS = ("flight_recorder", "processes")


def add_recorder(package: Path, start: str = "pass", stop: str = "pass") -> None:
    (package / "recorder.py").write_text(STAND_IN.format(start=start, stop=stop))


def launch(
    package: Path,
    program: str,
    order: str = ORDER,
    shell: str = "",
    flags: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run source text as prog.py under the copied launcher; `shell` is redirections."""
    directory = package.parent.parent
    (directory / "prog.py").write_text(program)
    command = [sys.executable, *flags, str(package / "launch.py"), order, "prog.py", "arg"]
    if shell:
        command = ["sh", "-c", f'exec "$@" {shell}', "sh", *command]
    return subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )


def test_summary_is_last(package: Path) -> None:
    """One line on stderr, after everything the program itself does at exit."""
    add_recorder(package)
    program = "import atexit, sys; atexit.register(print, 'mine', file=sys.stderr)"
    done = launch(package, program)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "mine\n" + SUMMARY


def test_options_reach_the_recorder(package: Path) -> None:
    """The recorder gets an absolute path, sizes, signal names, the program's own argv."""
    add_recorder(package, start="print(vars(self.options))")
    done = launch(package, "")
    expected = {
        "path": str(package.parent.parent / "a.pftrace"),
        "buffer_bytes": 1048576,
        "signals": ("tasks", "gc"),
        "argv": ("prog.py", "arg"),
        "force": False,
        "hold": True,
        "cpu_hz": 50,
        "heap_rate": 999,
        "io_threshold_us": 7,
        "stack_depth": 8,
        "follow": True,
        "control": True,
        "most_bytes": 90,
        "most_files": 4,
        "names_only": False,
        "says": "a.pftrace",
        "profiles": (),
        "flight": None,
    }
    assert done.stdout == f"{expected}\n"


@pytest.mark.parametrize(("kind", "flag"), [("module", "-m"), ("command", "-c")])
def test_command_in_the_trace(package: Path, kind: str, flag: str) -> None:
    """It includes what sys.argv leaves out: the name of the module, or the code."""
    add_recorder(package, start="print(self.options.argv)")
    done = launch(package, "", ORDER.replace("file", kind, 1))
    assert done.stdout == f"{(flag, 'prog.py', 'arg')}\n"


def test_no_signals_and_spaces(package: Path) -> None:
    """An empty list of signals, and a file name with spaces, survive the way."""
    add_recorder(package, start="print(self.options.signals, self.options.path)")
    done = launch(
        package,
        "",
        f"file 1048576  force {SETTINGS} a b .pftrace",
    )
    assert done.stdout == f"() {package.parent.parent}/a b .pftrace\n"


def test_refusal(package: Path) -> None:
    """A TracerError of the recorder is one line and an exit code; the program never runs."""
    add_recorder(
        package, start="from tracer.errors import UsageError; raise UsageError('no.')"
    )
    done = launch(package, "print('ran')")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "tracer: no.\n")


@pytest.mark.parametrize("start", ["raise OSError('broken')", "raise ImportError('broken')"])
def test_unrecordable_runs_plain(package: Path, start: str) -> None:
    """Any other failure is one line, and the program runs as if we were not there."""
    add_recorder(package, start=start)
    done = launch(package, "import sys; print(sys.argv, sys.path[0]); sys.exit(3)")
    assert done.returncode == 3
    assert done.stdout == f"['prog.py', 'arg'] {package.parent.parent}\n"
    reason = "cannot record on this interpreter: broken"
    assert done.stderr == f"tracer: {reason}. The program runs without a trace.\n"


def test_without_core_runs_plain(package: Path) -> None:
    """The same where the C core was not built for this interpreter."""
    add_recorder(package)
    for path in package.glob("_core*.so"):
        path.unlink()
    # -S: otherwise the finder of an editable install would also look in the original.
    done = launch(package, "print(__name__)", flags=("-S",))
    assert (done.returncode, done.stdout) == (0, "__main__\n")
    assert "runs without a trace" in done.stderr


def test_failing_end_is_one_line(package: Path) -> None:
    """An error at the end of the recording is not a traceback, nor the program's exit code."""
    add_recorder(package, stop="1 / 0")
    done = launch(package, "")
    assert done.returncode == 0
    assert done.stderr == (
        "tracer: the end of a.pftrace may be missing: ZeroDivisionError('division by zero')\n"
    )


def test_forked_child_is_quiet(package: Path) -> None:
    """A forked child that exits normally neither stops the recording nor reports."""
    add_recorder(package, stop="os.write(1, b'stopped ')")
    program = "import os\nif os.fork():\n    os.wait()\nelse:\n    os.write(1, b'child ')"
    done = launch(package, program)
    assert (done.stdout, done.stderr) == ("child stopped ", SUMMARY)


def test_replaced_stderr(package: Path) -> None:
    """The line goes to descriptor 2 whatever sys.stderr has become."""
    add_recorder(package)
    done = launch(package, "import sys, io; sys.stderr = io.StringIO(); sys.stdout = None")
    assert done.stderr == SUMMARY


@pytest.mark.parametrize("shell", ["2>&-", "2>/dev/full", "0<&- 1>&- 2>&-"])
def test_stderr_closed_or_full(package: Path, shell: str) -> None:
    """A line that cannot be written is no error."""
    add_recorder(package)
    assert launch(package, "pass", shell=shell).returncode == 0


def test_reused_descriptor(package: Path) -> None:
    """A file that the program opened in place of descriptor 2 is not written to."""
    add_recorder(package)
    program = "import os; os.close(2); assert os.open('data', os.O_CREAT | os.O_WRONLY) == 2"
    assert launch(package, program).returncode == 0
    assert (package.parent.parent / "data").read_text() == ""


def test_working_directory_may_change(package: Path) -> None:
    """The line names the trace as the user did."""
    add_recorder(package)
    assert launch(package, "import os; os.chdir('/')").stderr == SUMMARY


@pytest.mark.parametrize("flags", [(), ("-I",)])
def test_launcher_loads_nothing(package: Path, flags: tuple[str, ...]) -> None:
    """If the recorder imports nothing, sys.modules equals plain python's, in order."""
    add_recorder(package)
    program = "import sys; print(*sys.modules, sep='\\n')"
    traced = launch(package, program, flags=flags)
    command = [sys.executable, *flags, "prog.py"]
    directory = package.parent.parent
    plain = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=True)
    assert traced.stdout == plain.stdout


@pytest.mark.parametrize("program", ["pass", "import os; os._exit(0)"])
def test_next_run_replaces(tmp_path: Path, program: str) -> None:
    """An old trace, even one cut off at once, does not prevent the next recording."""
    command = [sys.executable, "-m", "tracer", "run", "--no-profile", "-c", program]
    for _ in range(2):
        outcome = run(command, tmp_path)
        assert (outcome.status, outcome.stdout, outcome.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["command.pftrace"]


def test_nothing_of_ours_is_importable(package: Path) -> None:
    """The package was loaded from a directory that the program cannot import from."""
    add_recorder(package)
    names = (
        "sys.path, sys.path_importer_cache, sys.argv, sys.orig_argv, [*sys.modules.values()]"
    )
    done = launch(package, f"import sys; print({names})")
    assert os.fspath(package) not in done.stdout
