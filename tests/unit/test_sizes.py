"""No file that one cannot read in one sitting, and no support in a test's file."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
LINES = {".py": 400, ".pyi": 400, ".js": 400, ".css": 400, ".html": 400, ".h": 600, ".c": 600}


def tracked() -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    return [name for name in done.stdout.split("\0") if (PROJECT / name).is_file()]


FILES = tracked()  # none in an unpacked sdist


def too_long(name: str, text: str) -> bool:
    return text.count("\n") > LINES.get(Path(name).suffix, 2**63)


def test_no_file_is_too_long() -> None:
    long = [
        name for name in FILES if too_long(name, (PROJECT / name).read_text("utf-8", "ignore"))
    ]
    assert long == []


@pytest.mark.parametrize(
    ("name", "lines", "long"),
    [("a.py", 400, False), ("a.py", 401, True), ("a.c", 600, False), ("a.c", 601, True)],
)
def test_limits(name: str, lines: int, long: bool) -> None:
    assert too_long(name, "\n" * lines) is long


def imported_tests(source: str) -> set[str]:
    """Test modules that a source imports from."""
    if not re.search(r"^\s*from \S*\btest_", source, re.MULTILINE):
        return set()  # most of the files, which need not be parsed
    return {
        node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom)
        and node.module
        and node.module.rpartition(".")[2].startswith("test_")
    }


def test_no_test_lends_to_another() -> None:
    """What two tests need lies in tests/support."""
    found = {
        name: modules
        for name in FILES
        if name.startswith("tests/")
        and name.endswith(".py")
        and (modules := imported_tests((PROJECT / name).read_text()))
    }
    assert found == {}


def test_lending_is_found() -> None:
    source = "from tests.unit.test_a import b\nfrom tests.support.c import test_d\n"
    assert imported_tests(source) == {"tests.unit.test_a"}
