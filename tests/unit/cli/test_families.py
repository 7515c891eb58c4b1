"""Every reading command takes a file with its FILE.d, several files, or a folder."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.builder.family import Family
from tests.support.builder.samples import SampleBuilder
from tests.support.builder.trace import TraceBuilder
from tests.support.commands import refused
from tracer import cli
from viewer.render.formats.chrome import write_chrome
from viewer.render.formats.csv import write_csv
from viewer.render.formats.pprof import read_pprof
from viewer.server.answers import Answers
from viewer.server.site import make_site
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

MS = 1_000_000


def process(pid: int, function: str) -> bytes:
    trace = TraceBuilder(pid=pid, argv="service.py", signals="tasks,gil,io,cpu")
    main = trace.thread("MainThread").running(0)
    SampleBuilder(trace).add(main, 5 * MS, function, times=3)
    main.io(10 * MS, "socket.recv", site=f"/app/{function}.py:4 {function}")
    main.running(200 * MS).end(201 * MS)
    return trace.ended(202 * MS).data()


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with one child beside it, in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.pftrace").write_bytes(process(100, "serve"))
    (tmp_path / "x.pftrace.d").mkdir()
    (tmp_path / "x.pftrace.d" / "101-7.pftrace").write_bytes(process(101, "work"))
    return tmp_path


SEVERAL = ("x.pftrace", "x.pftrace.d/101-7.pftrace")
NAMES = pytest.mark.parametrize("words", [("x.pftrace",), SEVERAL, (".",)], ids=len)


@NAMES
def test_report(family: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """Both processes are in it; the commands to look next name the same files."""
    assert cli.main(["report", *words]) == 0
    text = capsys.readouterr().out
    assert "2 processes" in text
    assert f"  tracer why {' '.join(words)}" in text
    assert cli.main(["report", *words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {row["pid"] for row in report["threads"]} == {100, 101}
    assert report["trace"]["files"] == [*words]


@NAMES
def test_why(family: Path, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    """Waits of both."""
    assert cli.main(["why", *words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {wait["waiter"]["tid"] for wait in answer["waits"]} == {100, 101}


@pytest.mark.parametrize("wanted", ["service.py (101)", "101"])
def test_why_of_a_process(
    family: Path, capsys: pytest.CaptureFixture[str], wanted: str
) -> None:
    """By name, else by pid."""
    assert cli.main(["why", "x.pftrace", "--json", "--process", wanted]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {wait["waiter"]["process"] for wait in answer["waits"]} == {1}


def test_no_such_process(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest names are said."""
    assert refused(capsys, "why", "x.pftrace", "--process", "service") == (
        1,
        "no process is called 'service'. Did you mean 'service.py (101)' or "
        "'service.py (100)'?",
    )


def test_only_the_children_are_left(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """FILE may be gone, or the first process was killed before it wrote."""
    (family / "x.pftrace").unlink()
    assert refused(capsys, "report", "x.pftrace") == (
        1,
        "cannot read 'x.pftrace': no such file; its child processes wrote 'x.pftrace.d'.",
    )


@NAMES
@pytest.mark.parametrize(
    ("command", "written"),
    [
        (("pprof",), "x.cpu.pprof"),
        (("export", "--format", "chrome"), "x.json"),
        (("export", "--format", "csv"), "x.csv"),
        (("export", "--format", "html"), "x.html"),
        (("export", "--format", "speedscope"), "x.speedscope.json"),
    ],
)
def test_written(
    family: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    command: tuple[str, ...],
    written: str,
) -> None:
    """The answer lies beside what was named first, or beside the folder."""
    output = ("-o", written) if words == (".",) else ()
    assert cli.main([*command, *words, *output]) == 0
    assert capsys.readouterr().err.endswith(f"-> {written}\n")
    data = (family / written).read_bytes()
    if command == ("pprof",):
        functions = {place.function for sample in read_pprof(data, "").samples
                     for place in sample.frames}  # fmt: skip
        assert functions == {"prog.serve", "prog.work"}


def test_beside_the_working_folder(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`.` has a name, too."""
    assert cli.main(["pprof", "."]) == 0
    written = family.with_suffix(".cpu.pprof")
    assert capsys.readouterr().err == f"tracer: cpu profile -> {written}\n"
    written.unlink()


def test_diff(family: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each side may be a folder."""
    assert cli.main(["diff", "x.pftrace", "x.pftrace.d", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["a"]["file"] == "x.pftrace"


@pytest.mark.parametrize(
    ("given", "name", "command"),
    [
        (Path("x.pftrace"), "x.pftrace", "x.pftrace"),
        (tuple(map(Path, SEVERAL)), "x.pftrace and 1 more", "x.pftrace 101-7.pftrace"),
        (Path("x.pftrace.d"), "x.pftrace.d", "x.pftrace.d"),
    ],
)
def test_name_on_the_page(
    family: Path, given: Path | tuple[Path, ...], name: str, command: str
) -> None:
    """The page has a name for what was opened, and says how to open it again."""
    meta = Answers(build_model(read_trace(given))).meta()
    assert isinstance(meta, dict)
    assert (meta["name"], meta["command"]) == (name, command)


def test_folder_without_a_name(family: Path) -> None:
    assert read_trace(Path()).name == family.name


def test_site(family: Path) -> None:
    """The Perfetto UI gets all packets as one file."""
    (reply,) = (make_site(Path("x.pftrace"), None, None).routes["trace.pftrace"]({}),)
    parts = sorted(family.rglob("*.pftrace"))
    assert reply.body == b"".join(path.read_bytes() for path in parts)


READERS: list[Callable[[str], tuple[str, ...]]] = [
    lambda path: ("report", path),
    lambda path: ("why", path),
    lambda path: ("pprof", path),
    lambda path: ("export", path, "--format", "csv"),
    lambda path: ("diff", path, "x.pftrace"),
    lambda path: ("view", path, "--no-browser"),
    lambda path: ("open", path, "--no-browser"),
]


@pytest.mark.parametrize("words", READERS)
def test_empty_folder(
    family: Path, capsys: pytest.CaptureFixture[str], words: Callable[[str], tuple[str, ...]]
) -> None:
    """One line, for each command."""
    (family / "nothing").mkdir()
    assert refused(capsys, *words("nothing")) == (
        1,
        "cannot read 'nothing': a folder without traces (*.pftrace). "
        "Record one with 'tracer run prog.py'.",
    )


@pytest.mark.parametrize("words", [words for words in READERS if words("")[0] != "pprof"])
def test_no_trace(
    family: Path, capsys: pytest.CaptureFixture[str], words: Callable[[str], tuple[str, ...]]
) -> None:
    """Another file is refused before it is served. (`pprof` also reads profiles.)"""
    (family / "notes.txt").write_text("hello")
    assert refused(capsys, *words("notes.txt")) == (
        1,
        "cannot read 'notes.txt': not a trace (begins 68 65 6c 6c). "
        "Record one with 'tracer run prog.py'.",
    )


def test_labels(family: Path) -> None:
    """A sample of a profile says which process it is of; that of a single process does not."""
    assert cli.main(["pprof", "x.pftrace"]) == 0
    samples = read_pprof((family / "x.cpu.pprof").read_bytes(), "").samples
    labels = [dict(sample.labels) for sample in samples]
    assert {(one["pid"], one["process"]) for one in labels} == {
        (100, "service.py (100)"),
        (101, "service.py (101)"),
    }
    assert cli.main(["pprof", "x.pftrace.d", "-o", "one.pprof"]) == 0
    (sample,) = read_pprof((family / "one.pprof").read_bytes(), "").samples
    assert "pid" not in dict(sample.labels)


def test_chrome_names(family: Path) -> None:
    """Each pid has the name of its process."""
    assert cli.main(["export", "x.pftrace", "--format", "chrome"]) == 0
    rows = json.loads((family / "x.json").read_text())["traceEvents"]
    assert {r["pid"]: r["args"]["name"] for r in rows if r["name"] == "process_name"} == {
        100: "service.py (100): service.py",
        101: "service.py (101): service.py",
    }


def test_one_pid_twice(tmp_path: Path) -> None:
    """A pid that came again is another process for tools that know processes by it."""
    family = Family("/app/serve.py")
    main = family.first.thread("MainThread", 100).running(0)
    for n in range(2):
        child = family.fork(main, n * MS, 101)
        family.main(child).running(n * MS).end((n + 1) * MS - 10)
        child.ended((n + 1) * MS - 5)
    main.end(3 * MS)
    model = build_model(read_trace(family.write(tmp_path)))
    rows = json.loads(write_chrome(model))["traceEvents"]
    names = {r["pid"]: r["args"]["name"] for r in rows if r["name"] == "process_name"}
    assert names == {
        100: "serve.py: /app/serve.py",
        101: "child 1: /app/serve.py",
        101 + (1 << 22): "child 2: /app/serve.py",
    }
    slices = csv.DictReader(io.StringIO(write_csv(model).decode()))
    assert [row["process_name"] for row in slices] == ["serve.py", "child 1", "child 2"]


def test_views_of_speedscope(family: Path) -> None:
    """Threads of one name in two processes are two views."""
    assert cli.main(["export", "x.pftrace", "--format", "speedscope"]) == 0
    views = json.loads((family / "x.speedscope.json").read_text())["profiles"]
    assert sorted(view["name"] for view in views) == [
        "MainThread [service.py (100)]",
        "MainThread [service.py (101)]",
    ]
