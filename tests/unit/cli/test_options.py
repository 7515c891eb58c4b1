"""Options that do not go together, do nothing, or are misspelt: one line and exit code 2."""

import pytest

from tests.support.commands import refused
from tracer.cli import every_command


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("report", "t", "--json", "--top", "3"), "--json and --top cannot be used together."),
        (("report", "t", "--top", "3"), "--top does nothing without --section."),
        (("report", "t", "--by", "task"), "--by does nothing without --section."),
        (
            ("diff", "a", "b", "--json", "--top", "3"),
            "--json and --top cannot be used together.",
        ),
        (("pprof", "t", "--top", "--peek", "f"), "--top and --peek cannot be used together."),
        (
            ("pprof", "t", "--peek", "f", "--source", "f"),
            "--peek and --source cannot be used together.",
        ),
        (("pprof", "t", "--top", "-o", "x"), "--top and --output cannot be used together."),
        (
            ("pprof", "t", "--diff", "b", "--force"),
            "--diff and --force cannot be used together.",
        ),
        (("pprof", "t", "--rows", "3"), "--rows does nothing without --top."),
        (
            ("export", "t", "--format", "csv", "--type", "io"),
            "--type does nothing without --format speedscope.",
        ),
        (
            ("export", "t"),
            "Missing option '--format'. "
            "Choose one of: chrome, speedscope, csv, html, parquet.",
        ),
        (
            ("report", "t", "--section", "lock"),
            "Invalid value for '--section': 'lock' is not known. Did you mean 'locks'?",
        ),
        (
            ("pprof", "t", "--type", "xyz"),
            "Invalid value for '--type': 'xyz' is not known. "
            "Choose one of: cpu, wall, sched, block, mutex, io, gc, heap, allocs, goroutine, "
            "threadcreate.",
        ),
    ],
)
def test_refused(capsys, words, line):
    """Nothing is read before the command line makes sense."""
    assert refused(capsys, *words) == (2, f"{line} See 'tracer {words[0]} --help'.")


@pytest.mark.invalid_traces
def test_what_was_meant(capsys, tmp_path):
    """A profile is no trace, a trace is no program: each says what to type."""
    profile, trace = tmp_path / "x.cpu.pprof", tmp_path / "x.pftrace"
    profile.write_bytes(b"\x1f\x8b")
    trace.write_bytes(b"\n")
    assert refused(capsys, "report", str(profile)) == (
        1,
        f"cannot read '{profile}': a profile, not a trace. "
        f"Print it with 'tracer pprof {profile} --top'.",
    )
    assert refused(capsys, "run", str(trace)) == (
        2,
        f"cannot run '{trace}': it is a trace. See 'tracer report {trace}'.",
    )


def test_one_exit_code_for_what_is_not_there(capsys, tmp_path):
    """A name, a region, a function or a moment that the trace does not have: exit code 1."""
    from tests.support.stories.waits import gil_hog

    path = tmp_path / "x.pftrace"
    path.write_bytes(gil_hog().data())
    for words in (
        ("why", "--thread", "nobody"),
        ("why", "--region", "nothing"),
        ("why", "--at", "99s"),
        ("pprof", "--region", "nothing"),
        ("pprof", "--peek", "nothing"),
        ("pprof", "--source", "nothing"),
    ):
        code, _ = refused(capsys, words[0], str(path), *words[1:])
        assert code == 1, words


def test_summaries_are_whole():
    """No summary is cut in the list of commands."""
    for command in every_command():
        assert not command.get_short_help_str(60).endswith("..."), command.name
