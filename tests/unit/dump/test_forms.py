"""Dumps as text, as JSON, and in Go's forms."""

import json
from pathlib import Path

import pytest

from tests.support.models import model_of, trace_file
from tests.support.stories.memory import memory
from tests.support.stories.moment import moment
from tests.support.stories.profiles import waits
from tracer.cli import main
from viewer.commands.profiles import derive
from viewer.render.formats.go_text import has_text, render_profile

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.fixture
def trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A trace file; the current folder is where it is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return trace_file(tmp_path, moment()).name


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["dump", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "golden"),
    [((), "dump.txt"), (("--full",), "dump_full.txt"), (("--compact",), "dump_compact.txt")],
)
def test_text(
    capsys: pytest.CaptureFixture[str], trace: str, options: tuple[str, ...], golden: str
) -> None:
    """Each form, to the letter."""
    assert printed(capsys, trace, "--at", "100ms", *options) == (GOLDEN / golden).read_text()


def test_only_some(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    """--tasks and --threads leave out the others, also in JSON; references stay right."""
    tasks = printed(capsys, trace, "--at", "100ms", "--tasks", "--full")
    assert "locked to thread" not in tasks
    assert tasks.count("goroutine ") == 9
    threads = printed(capsys, trace, "--at", "100ms", "--threads")
    assert threads.splitlines()[0].endswith("at 100 ms: 3 threads")
    everything = json.loads(printed(capsys, trace, "--at", "100ms", "--json"))["entries"]
    some = json.loads(printed(capsys, trace, "--at", "100ms", "--json", "--tasks"))["entries"]
    assert some == [entry for entry in everything if entry["what"] == "task"]
    assert [entry["entry"] for entry in everything] == list(range(12))


def test_json(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    """Unknown is null; times are since the trace began."""
    found = json.loads(printed(capsys, trace, "--at", "100ms", "--json"))
    assert (found["schema"], found["at_ns"]) == (1, 100_000_000)
    by_name = {entry["name"]: entry for entry in found["entries"]}
    fetch, kid = by_name["f0"], by_name["kid"]
    assert (fetch["kind"], fetch["since_ns"], fetch["lock"]) == ("await Lock", 6_000_000, 2)
    assert fetch["behind"] == {
        "how": "holds",
        "what": "task",
        "name": "h",
        "entry": by_name["h"]["entry"],
        "site": "/app/app.py:9 holder",
    }
    assert fetch["stack"][1] == {"function": "app.fetch", "file": "/app/app.py", "line": 12}
    assert by_name["polite"]["stack"] is None
    assert (kid["created"], kid["creator_coro"]) == (None, "holder")
    assert by_name["old"]["at_least"] is True


def test_the_last_moment(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    """Without --at."""
    assert " at 200 ms: " in printed(capsys, trace).splitlines()[0]


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("--at", "3s"), 1, "tracer: --at 3s: the trace is 200 ms long"),
        (("--at", "soon"), 2, "tracer: --at 'soon' is not a time such as"),
        (("--full", "--json"), 2, "tracer: --full and --json cannot be used together."),
        (
            ("--tasks", "--threads"),
            2,
            "tracer: --tasks and --threads cannot be used together.",
        ),
    ],
)
def test_refusals(
    capsys: pytest.CaptureFixture[str],
    trace: str,
    words: tuple[str, ...],
    code: int,
    line: str,
) -> None:
    """One line each."""
    assert main(["dump", trace, *words]) == code
    said = capsys.readouterr()
    assert said.err.startswith(line)
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_pprof_at_a_moment(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    """--at is for profiles of what there is at a moment."""
    assert main(["pprof", trace, "--type", "goroutine", "--at", "100ms", "--top"]) == 0
    shown = capsys.readouterr().out
    assert "Total: 12" in shown
    assert main(["pprof", trace, "--type", "cpu", "--at", "100ms"]) == 2
    assert "--at is for --type goroutine, heap, allocs only" in capsys.readouterr().err


def test_threadcreate(tmp_path: Path) -> None:
    """By the stack that started them; the others were there before."""
    profile = derive(model_of(tmp_path, moment()), "threadcreate")
    assert [(sample.frames[0].function, sample.values) for sample in profile.samples] == [
        ("[before the recording]", (3,)),
        ("threading.Thread.start", (1,)),
    ]


def test_text_forms_of_waits(tmp_path: Path) -> None:
    """`block` and `mutex`: ns and count of each stack, under Go's headers."""
    model = model_of(tmp_path, waits())
    for type_, header in (
        ("block", "--- contention:\ncycles/second=1000000000\n"),
        ("mutex", "--- mutex:\ncycles/second=1000000000\nsampling period=1\n"),
    ):
        profile = derive(model, type_)
        text = render_profile(type_, profile)
        assert text.startswith(header)
        rows = [line.split() for line in text.splitlines() if " @ " in line]
        assert [(int(row[1]), int(row[0])) for row in rows] == [
            sample.values for sample in profile.samples
        ]
        assert f"\t{profile.samples[0].frames[0].function}+0x0\t" in text


def test_text_form_of_heap(tmp_path: Path) -> None:
    """In use first, allocated in brackets, whichever type is shown first."""
    model = model_of(tmp_path, memory())
    heap, allocs = (
        render_profile(type_, derive(model, type_)) for type_ in ("heap", "allocs")
    )
    first = heap.splitlines()[0]
    assert first == allocs.splitlines()[0]
    assert first.endswith("@ heap/2")
    values = {type_: derive(model, type_).total for type_ in ("heap", "allocs")}
    assert f": {values['heap']} [" in first
    assert f": {values['allocs']}]" in first


def test_types_without_a_text_form() -> None:
    assert [type_ for type_ in ("cpu", "wall", "goroutine") if has_text(type_)] == [
        "goroutine"
    ]
