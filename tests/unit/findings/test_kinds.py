"""Each finding has a name that can be asked for, and a paragraph in docs/findings.md."""

import ast
from io import StringIO
from pathlib import Path

import pytest

from tests.support.finding import MS, Service
from tracer.cli import main
from tracer.errors import UsageError
from viewer.analysis.findings import KINDS
from viewer.commands.report import report

PROJECT = Path(__file__).parents[3]
FINDINGS = PROJECT / "viewer" / "analysis" / "findings"


def texts(node: ast.expr) -> set[str]:
    return {
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    }


def made() -> set[str]:
    """The first arguments of all calls of Finding; of a name, what is assigned to it."""
    found = set[str]()
    for path in FINDINGS.rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = set[str]()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Finding":
                first = node.args[0]
                found |= texts(first)
                names |= {first.id} if isinstance(first, ast.Name) else set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in names:
                value = node.value
                chosen = (
                    (value.body, value.orelse) if isinstance(value, ast.IfExp) else (value,)
                )
                for one in chosen:
                    found |= texts(one)
    return found


def test_all_kinds_are_known() -> None:
    assert made() == set(KINDS)


def test_each_kind_is_explained() -> None:
    lines = (PROJECT / "docs" / "findings.md").read_text().splitlines()
    explained = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    assert sorted(explained) == sorted(KINDS)


def test_the_thresholds_of_each_kind_are_told() -> None:
    """Once each, also those in several parts: `deadlock (through anything)`."""
    lines = (FINDINGS / "NOTES.md").read_text().splitlines()
    told = [line.removeprefix("## ") for line in lines if line.startswith("## ")]
    assert len(told) == len(set(told))
    assert {name.partition(" (")[0] for name in told} == set(KINDS)


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "blocked.pftrace"
    path.write_bytes(Service().blocks(3, 50 * MS).data())
    return path


@pytest.mark.parametrize(
    ("fail_on", "code"),
    [
        ("loop blocked", 3),
        ("Deadlock, Loop blocked", 3),
        ("any", 3),
        ("deadlock", 0),
        ("", 0),
    ],
)
def test_fail_on(trace, capsys, fail_on, code) -> None:
    assert main(["report", str(trace), "--fail-on", fail_on]) == code
    assert "blocks the event loop" in capsys.readouterr().out


def test_fail_on_with_another_section(trace, capsys) -> None:
    """Findings are looked for though they are not shown."""
    words = ["report", str(trace), "--section", "gc", "--fail-on", "any"]
    assert main(words) == 3
    assert "blocks the event loop" not in capsys.readouterr().out


def test_fail_on_what_does_not_exist(trace) -> None:
    with pytest.raises(UsageError, match=r"no finding is called 'loop blokked'; did you mean"):
        report(
            trace, as_json=False, section=None, top=1, by="coro", out=StringIO(),
            fail_on="loop blokked",
        )  # fmt: skip
