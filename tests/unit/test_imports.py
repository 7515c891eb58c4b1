"""Who may import whom: the two rooms share the contract and nothing else."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.circles import circle

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


def loaded_with(*names: str) -> set[str]:
    """The modules that a fresh interpreter has after an import of these."""
    code = f"import sys, {', '.join(names)}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}\n{code}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_recorder_loads_nothing_heavy() -> None:
    """A program that is recorded has no module in it that it did not import itself."""
    loaded = loaded_with("tracer.recorder", "tracer._core")
    assert not {name.partition(".")[0] for name in loaded} & set(HEAVY)


def test_command_line_loads_no_screen_and_no_sockets() -> None:
    """Each command pays for the imports of all."""
    loaded = loaded_with("tracer.cli")
    assert not loaded & {"tracer.cli.terminal", "tracer.live.screen", "tracer.live.client"}
    assert "viewer" not in loaded


# --- inside the two rooms ---

# The viewer's floors, lowest first: each imports itself and those before it.
FLOORS = ("trace", "words", "analysis", "render", "server", "commands", "endpoints")


def module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")


def graph_of(paths: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Which modules import which; a package is imported for names of its own only."""
    graph = {}
    for name, imported in paths.items():
        found = {module for module in imported if module in paths} - {name}
        graph[name] = {
            module
            for module in found
            if not any(other.startswith(f"{module}.") for other in found)
        }
    return graph


def floor_of(module: str) -> int:
    return FLOORS.index(module.split(".")[1])


def arrows_against_floors(graph: Mapping[str, set[str]]) -> set[str]:
    return {
        f"{name} -> {other}"
        for name, others in graph.items()
        for other in others
        if floor_of(other) > floor_of(name)
    }


MODULES = {
    room: graph_of({module_name(f): list(imports(PROJECT / f)) for f in files(room)})
    for room in ("tracer", "viewer")
}


@pytest.mark.parametrize("room", sorted(MODULES))
def test_no_circle(room: str) -> None:
    assert circle(MODULES[room]) == []


def test_no_circle_of_kinds_of_findings() -> None:
    """Nor between the folders of findings, of which each file is in one."""
    room = "viewer.analysis.findings."
    folders: dict[str, set[str]] = {}
    for name, others in MODULES["viewer"].items():
        if name.startswith(room):
            folder = name.removeprefix(room).partition(".")[0]
            known = folders.setdefault(folder, set())
            known |= {
                other.removeprefix(room).partition(".")[0]
                for other in others
                if other.startswith(room)
            } - {folder}
    assert len(folders) > 5
    assert circle(folders) == []


def test_viewer_imports_downwards() -> None:
    within = {name: others for name, others in MODULES["viewer"].items() if "." in name}
    assert arrows_against_floors(within) == set()


# --- the checks themselves ---


@pytest.mark.parametrize(
    ("graph", "found"),
    [
        ({"a": {"b"}, "b": {"c"}, "c": set()}, []),
        ({"a": {"a"}}, ["a"]),
        ({"a": {"b"}, "b": {"c"}, "c": {"b"}}, ["b", "c"]),
        ({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}, []),
    ],
)
def test_circle_is_found(graph: dict[str, set[str]], found: list[str]) -> None:
    assert circle(graph) == found


def test_arrows_are_found(tmp_path: Path) -> None:
    """Also inside functions; not under TYPE_CHECKING."""
    source = tmp_path / "source.py"
    source.write_text(
        "from typing import TYPE_CHECKING\n"
        "from viewer.render import units\n"
        "if TYPE_CHECKING:\n    from viewer.server import http\n"
        "def late():\n    import viewer.commands.view\n"
    )
    known = {"viewer.trace.reader": list(imports(source))}
    for name in ("viewer.render", "viewer.render.units", "viewer.server.http"):
        known[name] = []
    known["viewer.commands.view"] = ["viewer.trace.reader"]
    graph = graph_of(known)
    assert graph["viewer.trace.reader"] == {"viewer.render.units", "viewer.commands.view"}
    assert circle(graph) == ["viewer.commands.view", "viewer.trace.reader"]
    assert arrows_against_floors(graph) == {
        "viewer.trace.reader -> viewer.render.units",
        "viewer.trace.reader -> viewer.commands.view",
    }


def test_report_loads_no_arithmetic_of_fractions() -> None:
    """It takes longer than most findings, and nearly none of them needs it."""
    assert not loaded_with("viewer.commands.report") & {"statistics", "fractions", "decimal"}
