"""Who may import whom: the two rooms share the contract and nothing else."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
CONTRACT = {"tracer", "tracer.schema", "tracer.errors", "tracer.units"}
HEAVY = ("click", "viewer", "asyncio", "threading", "dataclasses", "typing", "perfetto")


def imports(path: Path) -> Iterator[str]:
    """Modules a file imports when it runs; those under TYPE_CHECKING are not."""
    tree = ast.parse(path.read_text())
    hidden: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            hidden.update(child for part in node.body for child in ast.walk(part))
    for node in ast.walk(tree):
        if node in hidden:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(room: str) -> list[str]:
    return sorted(str(p.relative_to(PROJECT)) for p in (PROJECT / room).rglob("*.py"))


COMMAND_LINE = {*files("tracer/cli"), "tracer/__main__.py", "tracer/program.py"}


@pytest.mark.parametrize("name", [f for f in files("tracer") if f not in COMMAND_LINE])
def test_recorder_is_alone(name: str) -> None:
    """The recorder imports neither the viewer nor anything from outside."""
    roots = {module.partition(".")[0] for module in imports(PROJECT / name)}
    assert roots <= {"tracer", *sys.stdlib_module_names}


@pytest.mark.parametrize("name", files("viewer"))
def test_viewer_knows_the_contract_only(name: str) -> None:
    """The viewer opens traces without the recorder and its C core."""
    for module in imports(PROJECT / name):
        if module.startswith("tracer"):
            known = module in CONTRACT or module.rpartition(".")[0] in CONTRACT - {"tracer"}
            assert known, f"{name} imports {module}"


def test_recorder_loads_nothing_heavy() -> None:
    """A program that is recorded has no module in it that it did not import itself."""
    code = "import sys, tracer.recorder, tracer._core; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {name.partition(".")[0] for name in done.stdout.split()} & set(HEAVY)
