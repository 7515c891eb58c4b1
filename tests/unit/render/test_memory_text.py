"""Memory as text: the table of lines, and all that `tracer pprof` prints of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.builder.heap import Heap
from tests.support.builder.trace import TraceBuilder
from tests.support.models import trace_file
from tests.support.stories.memory import memory
from tests.support.stories.waits import MS
from tracer.cli import main

KEEP = "/app/a.py:7 keep"


@pytest.fixture
def trace(tmp_path: Path) -> str:
    return str(trace_file(tmp_path, memory()))


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main([*words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("type_", "options", "rows"),
    [
        (
            "heap",
            (),
            [
                "  150.0 kB    50%    50%   300.0 kB   100%  cache.Cache.fill",
                "  150.0 kB    50%   100%   150.0 kB    50%  json.decoder.decode",
                "       0 B     0%   100%   300.0 kB   100%  main.main",
            ],
        ),
        (
            "allocs",
            ("--rows", "2"),
            [
                "  250.0 kB    54%    54%   250.0 kB    54%  json.decoder.decode",
                "  150.0 kB    33%    87%   400.0 kB    87%  cache.Cache.fill",
                "  … and 3 more (--rows)",
            ],
        ),
        (
            "heap",
            ("--sample-index", "alloc_objects", "--rows", "1"),
            [
                "         2    40%    40%          2    40%  json.decoder.decode",
                "  … and 4 more (--rows)",
            ],
        ),
        (
            "heap",
            ("--at", "12ms", "--rows", "1"),
            [
                "  250.0 kB   100%   100%   250.0 kB   100%  json.decoder.decode",
                "  … and 2 more (--rows)",
            ],
        ),
    ],
)
def test_top(
    capsys: pytest.CaptureFixture[str],
    trace: str,
    type_: str,
    options: tuple[str, ...],
    rows: list[str],
) -> None:
    found = printed(capsys, "pprof", trace, "--type", type_, "--top", *options)
    assert found[-len(rows) :] == rows


def test_peek(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    """A caller or callee without any of these bytes is left out."""
    found = printed(capsys, "pprof", trace, "--type", "heap", "--peek", "fill$")
    assert found[-3:] == [
        "             300.0 kB  100% |   main.main",
        "  150.0 kB   300.0 kB  | cache.Cache.fill",
        "             150.0 kB   50% |   json.decoder.decode",
    ]


def test_source(capsys: pytest.CaptureFixture[str], trace: str) -> None:
    found = printed(capsys, "pprof", trace, "--type", "allocs", "--source", "fill$")
    assert found[-2].strip() == "150.0 kB flat, 400.0 kB cumulative in its lines"
    assert found[-1].split() == ["150.0", "kB", "400.0", "kB", "7"]


def test_diff(capsys: pytest.CaptureFixture[str], tmp_path: Path, trace: str) -> None:
    """More is positive, less negative, with units."""
    base = TraceBuilder(signals="heap")
    base.thread("MainThread", base.pid)
    Heap(base).alloc(MS, 500_000, "/app/cache.py:7 Cache.fill")
    (tmp_path / "base.pftrace").write_bytes(base.ended(2 * MS).data())
    words = ("pprof", trace, "--type", "heap", "--diff", str(tmp_path / "base.pftrace"))
    found = [line.split() for line in printed(capsys, *words)]
    assert ["-350.0", "kB"] in [row[:2] for row in found if row[-1:] == ["cache.Cache.fill"]]


def test_a_name_that_the_profile_has_not(
    capsys: pytest.CaptureFixture[str], trace: str
) -> None:
    words = ["pprof", trace, "--type", "heap", "--top", "--sample-index", "inuse"]
    assert main(words) == 2
    assert "It has: alloc_objects, alloc_space, inuse_objects, inuse_space" in (
        capsys.readouterr().err
    )
    assert main(["pprof", trace, "--type", "heap", "--sample-index", "inuse_space"]) == 2
    assert "--sample-index" in capsys.readouterr().err


def test_two_functions_at_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """A generator expression is not the function that it is in."""
    builder = TraceBuilder(signals="heap")
    heap = Heap(builder)
    heap.free(2 * MS, heap.alloc(MS, 3_000, KEEP))
    heap.alloc(9 * MS, 1_000, f"{KEEP}.<locals>.<genexpr>")
    trace = str(trace_file(tmp_path, builder.ended(10 * MS)))
    rows = [
        " ".join(line.split())
        for line in printed(capsys, "report", trace, "--section", "memory")
    ]
    assert rows[-2].endswith("a.py:7 keep.<locals>.<genexpr> 1.0 kB 0 B 1 +1.0 kB 1.0 kB 25 %")
    assert rows[-1].endswith("a.py:7 keep 0 B 0 0 B 3.0 kB 75 %")
