"""What `--help` says."""

import click
import pytest

from tracer.cli import every_command, main
from tracer.cli.read import PROFILES

SUMMARY = 60  # characters that fit beside the names of the commands on 80 columns


@pytest.mark.parametrize("command", every_command(), ids=lambda command: command.name)
def test_summaries_are_not_cut(
    capsys: pytest.CaptureFixture[str], command: click.Command
) -> None:
    """The list of commands has a whole sentence for each."""
    assert main(["--help"]) == 0
    (line,) = (
        line
        for line in capsys.readouterr().out.splitlines()
        if line.startswith(f"  {command.name} ")
    )
    summary = line.removeprefix(f"  {command.name}").strip()
    assert summary.endswith(".")
    assert "..." not in summary
    assert len(summary) < SUMMARY


def test_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The help, as a refusal: on stderr."""
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert not out
    assert "First steps: `tracer run" in err


@pytest.mark.parametrize("command", every_command(), ids=lambda command: command.name)
def test_options_are_explained(command: click.Command) -> None:
    """Every option has a text, which begins with a capital and ends with a full stop."""
    for option in command.params:
        if isinstance(option, click.Option):
            text = (option.help or "").partition(" [default")[0]
            assert text, option.name
            assert text[0].isupper() or text.startswith("html"), option.name
            assert text.endswith("."), option.name


def test_profile_types_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """`pprof --help` has a line for each."""
    assert main(["pprof", "--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for name in PROFILES:
        (line,) = (line for line in lines if line.split()[:1] == [name])
        assert len(line.split()) > 3
