"""The floors of the C core: which file may include which, and that includes tell the truth."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.circles import circle

CORE = Path(__file__).parents[2] / "tracer" / "core"

# The floors, and which of them each may include besides itself. "" is core/ itself.
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
FUNCTION = re.compile(r"\b([a-z]\w*)\((?!\*)[^;{}]*\)$")
VARIABLE = re.compile(
    r"\b([a-z]\w*)(?:\)\([^()]*\))?\s*(?:\[[^\]]*\]\s*)*(?:=.*)?$", re.DOTALL
)

Units = Mapping[str, str]
"""Every unit's text by its name without suffix: `X.c` and `X.h` are one."""


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


UNITS = {
    str(p.relative_to(CORE).with_suffix("")): p.with_suffix("") for p in CORE.rglob("*.[ch]")
}


def includes(text: str) -> set[str]:
    """Units that `text` includes; CPython's internals are none of ours."""
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
        if match and not text.startswith(("typedef", "static", "extern")):
            found.add(match[1])
    return found


GRAPH = {
    unit: (includes(read(path.with_suffix(".h"))) | includes(read(path.with_suffix(".c"))))
    - {unit}
    for unit, path in UNITS.items()
}


def test_no_circle() -> None:
    assert circle(GRAPH) == []


def test_arrows_point_down() -> None:
    assert arrows_against_floors(GRAPH) == []


def test_every_include_exists() -> None:
    missing = {
        f"{unit} -> {other}"
        for unit, others in GRAPH.items()
        for other in others - UNITS.keys()
    }
    assert missing == set()


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_includes_tell_the_truth(unit: str) -> None:
    """What a header declares its own .c defines, so that no call goes past the includes."""
    promised = declared(read(UNITS[unit].with_suffix(".h")))
    assert promised <= defined(read(UNITS[unit].with_suffix(".c")))


@pytest.mark.parametrize("unit", sorted(UNITS))
def test_no_declaration_outside_headers(unit: str) -> None:
    """A .c that declares another's function by hand would hide an arrow."""
    source = read(UNITS[unit].with_suffix(".c"))
    ours = set().union(*(declared(read(path.with_suffix(".h"))) for path in UNITS.values()))
    by_hand = {
        match[1]
        for text, has_body in statements(source)
        if not has_body and (match := FUNCTION.search(text)) and not text.startswith("static")
    }
    assert by_hand & ours == set()


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
const table a_table = {.member = plain};
int counts[ONE + 1];
void (*_Atomic pointer)(void);
static int hidden(void) { return 1; }
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
    assert defined(SOURCE) == {"a_table", "counts", "pointer", "plain"}


def test_includes_are_found() -> None:
    text = """
#include <time.h>
#include "ring/ring.h"
#include "internal/pycore_frame.h"
"""
    assert includes(text) == {"ring/ring"}
