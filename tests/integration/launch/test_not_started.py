"""A program that python refuses to run leaves no trace, and does no harm to an earlier one."""

from pathlib import Path

import pytest

from tests.conftest import Recorder
from tests.support.launching import Case, compare
from tests.support.validator.rules import validate

SYNTAX = "x = ("
REFUSED = [
    Case("syntax", ("prog.py",), {"prog.py": SYNTAX}),
    Case("syntax -c", ("-c", SYNTAX)),
    Case("syntax -m", ("-m", "prog"), {"prog.py": SYNTAX}),
    Case("syntax of a package", ("-m", "prog.sub"), {"prog/__init__.py": SYNTAX}),
    Case("encoding", ("prog.py",), {"prog.py": b"\xff"}),
    Case("no module", ("-m", "prog")),
    Case("no package", ("-m", "prog.sub")),
    Case("no module in a package", ("-m", "prog.sub"), {"prog/__init__.py": "x = 1"}),
    Case("no __main__ of a package", ("-m", "prog"), {"prog/__init__.py": "x = 1"}),
    Case("no __main__ in a directory", ("prog",), {"prog/x.py": "x = 1"}),
    Case("no __main__ in an archive", ("prog",), {"prog": b"PK\5\6" + bytes(18)}),
]
STARTED = [
    Case("error", ("prog.py",), {"prog.py": "1 / 0"}),
    Case("error -c", ("-c", "1 / 0")),
    Case("no module to import", ("-m", "prog"), {"prog.py": "import nothing"}),
    Case("syntax of an import", ("prog.py",), {"prog.py": "import sub", "sub.py": SYNTAX}),
    Case("error in a package", ("-m", "prog.sub"), {"prog/__init__.py": "1 / 0"}),
    Case(
        "exit in a package", ("-m", "prog.sub"), {"prog/__init__.py": "import sys; sys.exit()"}
    ),
    Case(
        "os._exit in a package",
        ("-m", "prog.s"),
        {"prog/__init__.py": "import os; os._exit(3)"},
    ),
    Case("empty", ("prog.py",), {"prog.py": ""}),
]


def names(case: Case) -> str:
    return case.name


@pytest.mark.default(
    "syntax",
    "no module",
    "no __main__ in an archive",
)
@pytest.mark.parametrize("case", REFUSED, ids=names)
def test_refused(case: Case, tmp_path: Path) -> None:
    plain, traced = compare(case, tmp_path)
    assert traced == plain
    assert plain.status == 1
    assert not (tmp_path / "out.pftrace").exists()


@pytest.mark.parametrize("case", REFUSED[:2] + REFUSED[5:6], ids=names)
def test_earlier_trace_stays(case: Case, tmp_path: Path, record: Recorder) -> None:
    files = [tmp_path / name for name in ("a.pftrace", "a.cpu.pprof")]
    assert record.tracer("run", "-o", "a.pftrace", "--no-profile", "-c", "1").returncode == 0
    files[1].write_bytes(b"\x1f\x8b, a profile")
    before = [file.read_bytes() for file in files]
    for name, content in case.files.items():
        (tmp_path / name).write_text(str(content))
    done = record.tracer("run", "-o", "a.pftrace", *case.program)
    assert done.returncode == 1
    said = "tracer: the program did not start, so there is no trace of it"
    assert done.stderr.endswith(f"{said}; a.pftrace is an older one\n")
    assert [file.read_bytes() for file in files] == before


@pytest.mark.default(
    "error",
    "exit in a package",
    "empty",
)
@pytest.mark.parametrize("case", STARTED, ids=names)
def test_started(case: Case, tmp_path: Path) -> None:
    """Whatever of the program ran is in the trace, which replaces the earlier one."""
    trace = tmp_path / "out.pftrace"
    compare(Case("earlier", ("-c", "earlier = 1")), tmp_path)
    earlier = trace.read_bytes()
    plain, traced = compare(case, tmp_path)
    assert traced == plain
    assert trace.read_bytes() != earlier
    assert validate(trace.read_bytes()).names["recording ended"] == 1


UNTIL_REPLACED = """\
import os, sys, time
while os.path.getsize("a.pftrace") == SIZE: time.sleep(0.01)
sys.exit()
"""


def test_a_package_that_runs_for_long(record: Recorder) -> None:
    """It is recorded although __main__ never begins; the recorder gives that a second."""
    record.tracer("run", "-o", "a.pftrace", "--no-profile", "-c", "1")
    size = (record.directory / "a.pftrace").stat().st_size
    package = record.directory / "prog"
    package.mkdir()
    (package / "__init__.py").write_text(UNTIL_REPLACED.replace("SIZE", str(size)))
    done = record.tracer("run", "-o", "a.pftrace", "--no-profile", "-m", "prog.sub")
    assert (done.returncode, done.stdout) == (0, "")
