"""What tasks and threads wait for inside real libraries has a name, at the user's line.

The programs say so themselves: `#: await query (asyncpg)` stands at the line that waits so,
with `slots=1` if that is for a pool of that size. `#: anywhere …` waits at no user's line.
"""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Recorder
from tracer import schema as s
from viewer.trace.model import Model, build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.broad

PROGRAMS = Path(__file__).parents[2] / "support" / "programs" / "libraries"
SERVERS = {
    "asyncpg": "postgres_url",
    "psycopg": "postgres_url",
    "redis": "redis_url",
    "sqlalchemy": "postgres_url",
}
NEEDS = {"uvicorn": "wsproto", "psycopg": "psycopg_pool", "sqlalchemy": "asyncpg"}
_SAID = re.compile(r"#: (anywhere )?(.+?)(?: slots=(\d+))?$")


class Wait(NamedTuple):
    """A wait in a program: what for, at which line (0: none of the user's), how many slots."""

    what: str
    line: int
    slots: int


def said(program: Path) -> set[Wait]:
    found = set()
    for number, line in enumerate(program.read_text().splitlines(), 1):
        if match := _SAID.search(line):
            anywhere, what, slots = match.groups()
            found.add(Wait(what, 0 if anywhere else number, int(slots or 0)))
    return found


class Seen(NamedTuple):
    """The waits of a trace; and by pool (name, slots) the numbers that its waits have."""

    waits: set[Wait]
    pools: dict[tuple[str, int], set[int]]


def seen(model: Model, program: Path) -> Seen:
    trace = model.trace
    names = {i for i, text in enumerate(trace.events.strings) if text.endswith(")")}
    waits, pools = set(), dict[tuple[str, int], set[int]]()
    for i, begin in enumerate(trace.slices.event):
        if trace.events.name[begin] not in names:
            continue
        end = trace.slices.end_event[i]
        args = trace.args(begin) | (trace.args(end) if end >= 0 else {})
        name, slots = trace.text(trace.events.name[begin]), int(args.get(s.ARG_SLOTS, 0))
        at = re.match(rf"{re.escape(str(program))}:(\d+) ", str(args.get(s.ARG_SITE, "")))
        waits |= {Wait(name, int(at[1]) if at else 0, slots), Wait(name, 0, slots)}
        if slots:
            pools.setdefault((name, slots), set()).add(int(args[s.ARG_LOCK]))
    return Seen(waits, pools)


@pytest.mark.parametrize("program", sorted(PROGRAMS.glob("*_waits.py")), ids=lambda p: p.stem)
def test_waits_have_names_at_the_users_line(
    program: Path, record: Recorder, request: pytest.FixtureRequest
) -> None:
    library = program.stem.removesuffix("_waits")
    for module in (library, NEEDS.get(library, library)):
        if find_spec(module) is None:
            pytest.skip(f"{module} has no wheel for this Python")
    server = SERVERS.get(library)
    trace = record(program, *([request.getfixturevalue(server)] if server else []))
    found = seen(build_model(read_trace(trace)), program)
    wanted = said(program)
    assert wanted
    assert wanted - found.waits == set()
    # All waits for a pool are for the same one: each program has one pool of a kind and size.
    assert {key: len(numbers) for key, numbers in found.pools.items()} == dict.fromkeys(
        found.pools, 1
    )
