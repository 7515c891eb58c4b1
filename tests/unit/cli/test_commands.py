"""The command line: what is refused, in which words, and what the launcher is given."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.commands import refused
from tracer import cli, output, program
from tracer.cli.record import SIGNALS

ALL = ",".join(SIGNALS)
SETTINGS = (
    "cpu_hz=100,heap_rate=524288,io_threshold_us=20,stack_depth=32,"
    "profile=1,wall=0,rename=1,argv=1,control=1,flight_ms=0,flight_bytes=67108864,"
    "follow=1,most_files=1024,most_bytes=4611686018427387904"
)
TRACE = b"\n\x10clocks recording, schema"


class Executed(Exception):
    """Stands in for the new process; carries its command line and environment."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        super().__init__(command)
        self.words = command[1:]
        self.environment = environment


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; becoming another process raises Executed."""

    def execve(path: str, command: list[str], environment: dict[str, str]) -> None:
        assert path == sys.executable
        raise Executed(command, environment)

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(sys, "orig_argv", ["python", "-O", "-m", "tracer"])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def executed(*words: str) -> list[str]:
    """What the interpreter would be started with, after our -O and the launcher's path."""
    with pytest.raises(Executed) as caught:
        cli.main(["run", *words])
    assert caught.value.words[:2] == ["-O", program.LAUNCHER]
    return caught.value.words[2:]


def test_defaults(directory: Path) -> None:
    """A script: every signal, 64 MiB, a trace named after it."""
    (directory / "prog.py").touch()
    order = f"file 67108864 {ALL} keep {SETTINGS} prog.pftrace"
    words = ["prog.py", "a", "-o", "b", "--"]
    assert executed(*words) == [order, *words]


def test_options(directory: Path) -> None:
    """Every option reaches the launcher."""
    (directory / "prog.py").touch()
    words = ("--no-gc", "--no-tasks", "--buffer", "2G", "--force", "--output=x y", "prog.py")
    kept = ",".join(signal for signal in SIGNALS if signal not in ("gc", "tasks"))
    named = SETTINGS.replace("rename=1", "rename=0")
    assert executed(*words) == [f"file 2147483648 {kept} force {named} x y", "prog.py"]
    settings = (
        "cpu_hz=1000,heap_rate=65536,io_threshold_us=5,stack_depth=64,"
        "profile=0,wall=1,rename=1,argv=0,control=1,flight_ms=0,flight_bytes=67108864,follow=0,most_files=8,most_bytes=1073741824"
    )
    order = f"file 67108864 {ALL},heap keep {settings} prog.pftrace"
    numbers = ("--cpu-hz", "1000", "--io-threshold", "5", "--stack-depth=64")
    switches = ("--no-profile", "--wall", "--no-argv", "--heap", "--heap-rate=64K")
    family = ("--no-follow", "--max-files=8", "--max-bytes=1G")
    assert executed(*numbers, *switches, *family, "prog.py")[0] == order


@pytest.mark.parametrize(
    ("words", "kind", "stem", "rest"),
    [
        (("-m", "pkg.mod", "-m", "x"), "module", "mod", ["pkg.mod", "-m", "x"]),
        (("-mpkg", "--force"), "module", "pkg", ["pkg", "--force"]),
        (("-c", "pass", "-o"), "command", "command", ["pass", "-o"]),
        (("-cpass",), "command", "command", ["pass"]),
    ],
)
def test_options_end_at_the_program(
    directory: Path, words: tuple[str, ...], kind: str, stem: str, rest: list[str]
) -> None:
    """After -m and -c all words are the program's."""
    order = f"{kind} 67108864 {ALL} keep {SETTINGS} {stem}.pftrace"
    assert executed(*words) == [order, *rest]


def test_double_dash(directory: Path) -> None:
    """`--` allows a program whose name begins with a dash."""
    (directory / "-odd.py").touch()
    assert executed("--", "-odd.py", "--")[1:] == ["-odd.py", "--"]


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        ((), 2, "no program to run. See 'tracer run --help'."),
        (("-",), 2, "cannot run '-': save the program to a file, or give /dev/stdin."),
        (("",), 2, "no program to run. See 'tracer run --help'."),
        (("-m",), 2, "argument expected after -m. See 'tracer run --help'."),
        (("--", "-c"), 2, "can't open file '{}/-c': [Errno 2] No such file or directory, "
                          "and no program of that name is on PATH."),
        (("a/b.py",), 2, "can't open file '{}/a/b.py': [Errno 2] No such file or directory."),
        (("-o", "x/y", "-c", ""), 1, "cannot write 'x/y': no directory 'x'. "
                                     "Create it or choose another -o."),
        (("-o", ".", "-c", ""), 1, "cannot write '.': it is a directory. "
                                   "Give a file with -o."),
        (("-o", "", "-c", ""), 2, "the trace needs a name: -o FILE"),
        (("-o", "notes", "-c", ""), 1, "'notes' exists and is not a trace. Choose another -o, "
                                       "or replace it: --force."),
        (("--force", "-o", "notes", "notes"), 1, "cannot write 'notes': it is the program. "
                                                 "Choose another -o."),
    ],
)  # fmt: skip
def test_refusals(
    directory: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    line: str,
) -> None:
    """One line that says what, which, why and what next."""
    (directory / "notes").write_text("mine")
    assert refused(capsys, "run", *words) == (code, line.format(directory))


@pytest.mark.parametrize("size", ["x", "64X", "-1", "1.5M", "12", "1023K", "9999999G", ""])
def test_sizes_refused(capsys: pytest.CaptureFixture[str], directory: Path, size: str) -> None:
    """A size that is none, or that no machine has."""
    code, line = refused(capsys, "run", "--buffer", size, "-c", "")
    assert code == 2
    assert line.startswith("Invalid value for '--buffer'")


@pytest.mark.parametrize(
    "words", [("fly",), ("run", "--frce"), ("run", "--buffer"), ("report",)]
)
def test_usage(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    """A command line that makes no sense: exit code 2, and where the help is."""
    code, line = refused(capsys, *words)
    assert code == 2
    assert "--help'." in line


@pytest.mark.parametrize("content", [b"", TRACE])
def test_traces_are_replaced(directory: Path, content: bytes) -> None:
    """An empty file or a trace may be overwritten."""
    (directory / "out").write_bytes(content)
    assert executed("-o", "out", "-c", "")


@pytest.mark.parametrize(
    "content", [b"\n", b"recording schema", TRACE[1:], b"\n" + bytes(4096) + TRACE]
)
def test_not_a_trace(directory: Path, content: bytes) -> None:
    """Anything else is somebody's file."""
    (directory / "out").write_bytes(content)
    assert not output.is_trace("out")


def test_unreadable_program(
    directory: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message and exit code of python, whoever runs the test."""
    (directory / "prog.py").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    code, line = refused(capsys, "run", "prog.py")
    assert code == 2
    assert line == f"can't open file '{directory}/prog.py': [Errno 13] Permission denied."


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Both go to stdout and are no error."""
    assert cli.main(["--version"]) == 0
    assert cli.main(["run", "--help"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("tracer ")
    assert "--no-gc" in out
    assert err == ""
