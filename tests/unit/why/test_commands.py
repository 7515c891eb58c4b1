"""`tracer why` from the command line: what it prints, promises as JSON, and refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.stories import waits as samples
from tests.support.stories.user import requests
from tests.support.stories.waits import MS
from tracer.cli import main
from viewer.commands.moment import parse_time


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    file = tmp_path / "story.pftrace"
    file.write_bytes(samples.gil_hog().data())
    return file


def test_text(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(trace), "--worst", "1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(
        "  1. Thread `MainThread` waited 200 ms for the GIL, starting at 10.0 ms."
    )
    assert "     140.000 ms   70 %      computing (2×)\n" in out
    assert "\n\n    Finding of `tracer report`: `compress` hogs the GIL: `MainThread`" in out
    assert "\n   What had to happen first, the latest at the top:\n" in out
    assert "  2. " not in out


def test_json(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(trace), "--json", "--worst", "1"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    (wait,) = answer.pop("waits")
    assert answer == {"schema": 1, "trace": {"file": str(trace)}, "at_least_ns": 0}
    causes, path = wait.pop("causes"), wait.pop("path")
    assert wait.pop("finding")["finding"] == "GIL hog"
    assert wait == {
        "what": "gil",
        "start_ns": 10_000_000,
        "end_ns": 210_020_000,
        "ns": 200_020_000,
        "waiter": {
            "name": "MainThread",
            "coro": "",
            "site": "",
            "via": "",
            "task": -1,
            "tid": 600,
            "process": 0,
        },
        "subject": "",
        "site": "",
        "via": "",
        "is_over": True,
        "acquired": True,
        "alike": {"count": 2, "total_ns": 305_020_000},
        "text": "Thread `MainThread` waited 200 ms for the GIL, starting at 10.0 ms. For "
        "nearly all of that time thread `compress` held it, spending 140 ms computing and "
        "60.0 ms preempted by the kernel; other: 20.0 µs. There is 1 similar wait, 305 ms "
        "summed over both.",
    }
    blank = {
        "who": "",
        "site": "",
        "via": "",
        "count": 1,
        "holds_gil": False,
        "samples": [],
        "parts": [],
    }
    assert causes == [
        blank
        | {
            "kind": "thread",
            "who": "compress",
            "text": "held by thread `compress` (3×)",
            "ns": 200_000_000,
            "count": 3,
            "parts": [
                blank
                | {
                    "kind": "computing",
                    "ns": 140_000_000,
                    "count": 2,
                    "text": "computing (2×)",
                },
                blank
                | {
                    "kind": "preempted",
                    "ns": 60_000_000,
                    "holds_gil": True,
                    "text": "preempted by the kernel, holding the GIL",
                },
            ],
        },
        blank | {"kind": "free", "ns": 20_000, "text": "free, not yet acquired"},
    ]
    assert path[0] == {
        "did": "waited",
        "who": "MainThread",
        "what": "GIL wait",
        "site": "",
        "via": "",
        "text": "`MainThread` waited for the GIL",
        "start_ns": 10_000_000,
        "end_ns": 210_020_000,
    }


@pytest.mark.parametrize("at", ["0.315s", "315ms", "0.315", "315000us", "22:13:21.315"])
def test_at_a_moment(trace: Path, capsys: pytest.CaptureFixture[str], at: str) -> None:
    assert main(["why", str(trace), "--at", at, "--json"]) == 0
    (wait,) = json.loads(capsys.readouterr().out)["waits"]
    assert wait["start_ns"] <= 315_000_000 < wait["end_ns"]


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("12.3s", 12_300_000_000),
        ("250ms", 250_000_000),
        ("3", 3_000_000_000),
        (".5 s", 500_000_000),
    ],
)
def test_times(text: str, ns: int) -> None:
    assert parse_time(text) == ns


_NO_TIME = "is not a time such as 12.3s, 250ms or 14:03:22.5."


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        (["--at", "noon"], 2, f"--at 'noon' {_NO_TIME}"),
        (
            ["--at", "12.3h"],
            2,
            "--at '12.3h' is not a time such as 12.3s, 250ms or 14:03:22.5.",
        ),
        (["--at", "25:00"], 2, "--at '25:00' is not a time of day."),
        (
            ["--at", "9s"],
            1,
            "--at 9s: the trace is 400 ms long, 2023-11-14 22:13:21 to 22:13:21 UTC.",
        ),
        (
            ["--at", "03:00"],
            1,
            "--at 03:00: the trace is 400 ms long, 2023-11-14 22:13:21 to 22:13:21 UTC.",
        ),
        (["--task", "tick"], 1, "the trace has no tasks."),
        (
            ["--thread", "comp"],
            1,
            "no thread is called 'comp'. Did you mean 'compress'?",
        ),
    ],
)
def test_refusals_are_one_line(
    trace: Path, capsys: pytest.CaptureFixture[str], options: list[str], code: int, line: str
) -> None:
    assert main(["why", str(trace), *options]) == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"tracer: {line}\n")


def test_worst_is_a_number(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(trace), "--worst", "0"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.invalid_traces
def test_no_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "no.pftrace").write_bytes(b"hello")
    assert main(["why", str(tmp_path / "no.pftrace")]) == 1
    assert capsys.readouterr().err.startswith("tracer: cannot read ")


def test_nothing_to_tell(trace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["why", str(trace), "--at", "390ms"]) == 0
    assert capsys.readouterr().out == "No waits were recorded at 390ms.\n"


def waits_of(file: Path, region: str, capsys: pytest.CaptureFixture[str]) -> set[Any]:
    assert main(["why", str(file), "--region", region, "--worst", "9", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["waits"]
    return {(each["waiter"]["name"], each["what"], each["start_ns"]) for each in found}


def test_region(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Waits that lie within, or reach into, regions of the name, of who is in them."""
    file = tmp_path / "requests.pftrace"
    file.write_bytes(requests().data())
    # Task 2 was ready from the end of its region on; the wait for the GIL began before.
    assert waits_of(file, "request", capsys) == {
        ("serve #1", "await", 2 * MS),
        ("serve #1", "ready", 5 * MS),
        ("serve #2", "await", 4 * MS),
    }
    assert waits_of(file, "parse", capsys) == {
        ("worker", "gil", 0),
        ("worker", "call", 10 * MS),
    }
    assert main(["why", str(file), "--region", "order"]) == 1
    assert "this trace has no region 'order'. It has: 'load', " in capsys.readouterr().err
