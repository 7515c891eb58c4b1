"""The C files: which may include which, and that includes tell the truth."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.circles import circle

PROJECT = Path(__file__).parents[2]
CORE, NATIVE = "tracer/core", "viewer/trace/native"

# The floors of the core, and which of them each may include besides itself; "" is core/.
FLOORS: Mapping[str, set[str]] = {
    "ring": set(),
    "python": {"ring"},
    "sampler": {"ring", "python"},
    "signals": {"ring", "python", "sampler"},
    "packets": {"ring"},
    "timeline": {"ring", "packets"},
    "output": {"ring", "packets", "timeline"},
    "": {"ring", "python", "sampler", "signals", "packets", "timeline", "output"},
}
CONTRACT = "schema"  # names and numbers of the trace, for every floor

INCLUDE = re.compile(r'^#include "([^"]+)\.h"', re.MULTILINE)
COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.)*", re.MULTILINE | re.DOTALL)
STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"')
ATTRIBUTE = re.compile(r"__attribute__\s*\(\((?:[^()]|\([^()]*\))*\)\)")
ELSEWHERE = re.compile(r"\b(?:static|extern|typedef)\b")  # not for others, or no definition
TYPE = re.compile(r"(?:enum|struct|union)(?:\s+\w+)?")
FUNCTION = re.compile(r"\b([a-z]\w*)\((?!\*)[^;{}]*\)$")
VARIABLE = re.compile(
    r"\b([a-z]\w*)(?:\)\([^()]*\))?\s*(?:\[[^\]]*\]\s*)*(?:=.*)?$", re.DOTALL
)


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


@dataclass(frozen=True)
class Unit:
    """`X.c` and `X.h`."""

    header: str
    source: str


def units_below(root: str) -> dict[str, Unit]:
    """By name: path below the root, without suffix."""
    stems = {path.with_suffix("") for path in (PROJECT / root).rglob("*.[ch]")}
    return {
        str(stem.relative_to(PROJECT / root)): Unit(
            read(stem.with_suffix(".h")), read(stem.with_suffix(".c"))
        )
        for stem in sorted(stems)
    }


def includes(text: str) -> set[str]:
    """Units that `text` includes; CPython's own headers do not count."""
    return {unit for unit in INCLUDE.findall(text) if not unit.startswith("internal/")}


def floor_of(unit: str) -> str:
    return unit.partition("/")[0] if "/" in unit else ""


def arrows_against_floors(graph: Mapping[str, set[str]]) -> list[str]:
    return [
        f"{unit} -> {other}"
        for unit, others in sorted(graph.items())
        for other in sorted(others - {CONTRACT})
        if floor_of(other) not in FLOORS[floor_of(unit)] | {floor_of(unit)}
    ]


def statements(text: str) -> Iterator[tuple[str, bool]]:
    """What stands at file level without functions' bodies, and whether it had such a body."""
    for noise in (COMMENT, DIRECTIVE, ATTRIBUTE):
        text = noise.sub("", text)
    text = STRING.sub('""', text)
    depth, start, head = 0, 0, ""
    for at, char in enumerate(text):
        if char == "{":
            if not depth:
                head = text[start:at]
            depth += 1
        elif char == "}":
            depth -= 1
            if not depth and head.rstrip().endswith(
                ")"
            ):  # of a function, not of a type or table
                yield head.strip(), True
                start, head = at + 1, ""
        elif char == ";" and not depth:
            yield (head or text[start:at]).strip(), False
            start, head = at + 1, ""


def declared(header: str) -> set[str]:
    """Functions and variables that a header promises; what it defines itself is no promise."""
    found = set()
    for text, has_body in statements(header):
        if has_body or text.startswith(("typedef", "static")):
            continue
        match = FUNCTION.search(text)
        if not match and text.startswith("extern"):
            match = VARIABLE.search(text)
        if match:
            found.add(match[1])
    return found


def defined(source: str) -> set[str]:
    found = set()
    for text, has_body in statements(source):
        match = FUNCTION.search(text) if has_body else VARIABLE.search(text)
        if match and not TYPE.fullmatch(text) and not ELSEWHERE.search(text):
            found.add(match[1])
    return found


UNITS = {root: units_below(root) for root in (CORE, NATIVE)}
GRAPHS = {
    root: {
        name: (includes(unit.header) | includes(unit.source)) - {name}
        for name, unit in units.items()
    }
    for root, units in UNITS.items()
}
EVERY = [
    pytest.param(root, name, id=f"{root}/{name}") for root in UNITS for name in UNITS[root]
]


@pytest.mark.parametrize("root", GRAPHS)
def test_no_circle(root: str) -> None:
    assert circle(GRAPHS[root]) == []


def test_arrows_point_down() -> None:
    assert arrows_against_floors(GRAPHS[CORE]) == []


def test_python_is_known_by_one_header() -> None:
    """So the floors below `python` and beside it, the writer's, run without an interpreter."""
    knows = [
        name for name, unit in UNITS[CORE].items() if "Python.h" in unit.header + unit.source
    ]
    assert knows == ["python/compat"]


@pytest.mark.parametrize("root", GRAPHS)
def test_every_include_exists(root: str) -> None:
    graph = GRAPHS[root]
    missing = {f"{name} -> {other}" for name in graph for other in graph[name] - graph.keys()}
    assert missing == set()


@pytest.mark.parametrize(("root", "name"), EVERY)
def test_includes_tell_the_truth(root: str, name: str) -> None:
    """What a header declares its own .c defines, so that no call goes past the includes."""
    unit = UNITS[root][name]
    assert declared(unit.header) <= defined(unit.source)


def declared_by_hand(source: str) -> set[str]:
    return {
        match[1]
        for text, has_body in statements(source)
        if not has_body and (match := FUNCTION.search(text)) and not text.startswith("static")
    }


@pytest.mark.parametrize(("root", "name"), EVERY)
def test_no_declaration_outside_headers(root: str, name: str) -> None:
    """A .c that declares another's function by hand would hide an arrow."""
    ours = set().union(*(declared(unit.header) for unit in UNITS[root].values()))
    assert declared_by_hand(UNITS[root][name].source) & ours == set()


@pytest.mark.parametrize("name", GRAPHS[CORE])
def test_what_is_not_static_is_declared(name: str) -> None:
    """Nobody else can call what no header names."""
    unit = UNITS[CORE][name]
    hidden = defined(unit.source) - declared(unit.header)
    assert {found for found in hidden if not found.startswith("PyInit_")} == set()


@pytest.mark.parametrize(("root", "extension"), [(CORE, 0), (NATIVE, 1)])
def test_every_file_is_built(root: str, extension: int) -> None:
    """pyproject.toml lists them all, in order: an sdist has no file that is not listed."""
    module = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["setuptools"][
        "ext-modules"
    ][extension]
    for key, suffix in (("sources", "c"), ("depends", "h")):
        there = (PROJECT / root).rglob(f"*.{suffix}")
        assert module[key] == sorted(str(path.relative_to(PROJECT)) for path in there)


# --- the checks themselves ---


@pytest.mark.parametrize(
    ("unit", "other", "allowed"),
    [
        ("signals/gc", "ring/ring", True),
        ("signals/gc", "schema", True),
        ("signals/gc", "timeline/gc", False),
        ("output/writer", "signals/gc", False),
        ("timeline/gc", "python/codes", False),
        ("python/codes", "signals/gc", False),
        ("ring/ring", "python/compat", False),
        ("ring/ring", "recording", False),
        ("recording", "output/writer", True),
    ],
)
def test_floors_are_refused(unit: str, other: str, allowed: bool) -> None:
    assert (arrows_against_floors({unit: {other}}) == []) is allowed


HEADER = """
/* int in_a_comment(void); */
#define MACRO(x) macro_call(x)
typedef void handler(int a);
typedef struct { int (*member)(void); } table;
enum kind { ONE };
extern const table a_table;
extern int counts[ONE + 1];
extern _Thread_local int *mine __attribute__((tls_model("initial-exec")));
extern void (*_Atomic pointer)(void);
struct thing *returns_a_pointer(int (*callback)(void *, int), const char *text);
static inline int defined_here(void) { return counts[0]; }
int plain(void); /* why */
"""
SOURCE = """
#include "x.h"
enum { A, B };
struct kept { int a; };
struct kept a_struct = {1};
const table a_table = {.member = plain};
int counts[ONE + 1];
void (*_Atomic pointer)(void);
static int hidden(void) { return 1; }
_Noreturn static void ends(void) {}
MACRO(a) MACRO(b)
static int also_hidden;
int plain(void)
{
    if (hidden()) { return other(); }
    return 0;
}
"""


def test_declarations_are_found() -> None:
    assert declared(HEADER) == {
        "a_table",
        "counts",
        "mine",
        "pointer",
        "returns_a_pointer",
        "plain",
    }


def test_definitions_are_found() -> None:
    assert defined(SOURCE) == {"a_struct", "a_table", "counts", "pointer", "plain"}


def test_includes_are_found() -> None:
    text = """
#include <time.h>
#include "ring/ring.h"
#include "internal/pycore_frame.h"
"""
    assert includes(text) == {"ring/ring"}
