"""docs/architecture.md names files: they are there, and those of the example name it."""

import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
TEXT = (PROJECT / "docs/architecture.md").read_text()
SECTIONS = {part.partition("\n")[0]: part for part in TEXT.split("\n## ")}
NEXT, EXAMPLE = "Where does the next thing go?", "How to add a signal"


def files_in(text: str) -> list[str]:
    """Names in backticks that are paths from the project's root."""
    return sorted(set(re.findall(r"`((?:tracer|viewer|tests)/[\w./]*)`", text)))


@pytest.mark.parametrize(
    "name",
    sorted({name for title in SECTIONS.keys() - {NEXT} for name in files_in(SECTIONS[title])}),
)
def test_files_are_there(name: str) -> None:
    assert (PROJECT / name).exists()


def test_the_list_is_found() -> None:
    assert len(files_in(SECTIONS[EXAMPLE])) > 25
    assert len(files_in(SECTIONS["One record, from hook to page"])) > 25


@pytest.mark.parametrize("name", files_in(SECTIONS[EXAMPLE].partition("`sched` shows")[0]))
def test_files_of_the_example_name_it(name: str) -> None:
    """Each file of the list has to do with garbage collections."""
    path = PROJECT / name
    if path.is_file():
        assert re.search(r"\bgc\b|_gc|gc_|GC", path.read_text())
