"""The documents: every option is in them, every link leads somewhere, commands parse."""

import re
import shlex
from pathlib import Path

import click
import pytest

from tracer.cli import every_command
from tracer.cli.read import PROFILES, SECTIONS

PROJECT = Path(__file__).parents[2]
README = PROJECT / "README.md"
DOCS = [README, PROJECT / "CHANGES.md", *sorted((PROJECT / "docs").glob("*.md"))]
GUIDE = (PROJECT / "docs" / "guide.md").read_text()
LINK = re.compile(r"\]\(([^)#]+)")
COMMAND = re.compile(r"^tracer .*", re.MULTILINE)


@pytest.mark.parametrize("command", every_command(), ids=lambda command: command.name)
def test_guide_has_every_option(command: click.Command) -> None:
    """By its long name; and the command itself."""
    assert f"tracer {command.name}" in GUIDE
    for option in command.params:
        if isinstance(option, click.Option):
            for name in (*option.opts, *option.secondary_opts):
                assert not name.startswith("--") or f"`{name}" in GUIDE, name


@pytest.mark.parametrize("word", [*SECTIONS, *PROFILES])
def test_guide_has_every_section_and_profile(word: str) -> None:
    assert re.search(rf"\b{word}\b", GUIDE)


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links(path: Path) -> None:
    """To files of the repository."""
    for target in LINK.findall(path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


NOTES = [*(PROJECT / "tracer").rglob("NOTES.md"), *(PROJECT / "viewer").rglob("NOTES.md")]


@pytest.mark.parametrize(
    "path", [*DOCS, *NOTES], ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_merged_whole(path: Path) -> None:
    """No two versions of a paragraph, with the marks of a merge around them."""
    lines = path.read_text().splitlines()
    assert not [line for line in lines if line.startswith(("<<<<<<< ", ">>>>>>> "))]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_commands_exist(path: Path) -> None:
    """A line that begins with `tracer` names a command and options that it has."""
    known = {command.name: command for command in every_command()}
    for line in COMMAND.findall(path.read_text()):
        _, name, *words = shlex.split(line.replace("[", "").replace("]", ""), comments=True)
        assert name in known, line
        options = {o for p in known[name].params for o in (*p.opts, *p.secondary_opts)}
        for word in words:
            if name == "run" and not word.startswith("-") and not word.endswith(".pftrace"):
                break  # from here on it is the program's command line
            if word.startswith("-") and name != "run":
                assert word in options, line
