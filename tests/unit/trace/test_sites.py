"""Places in code: what is the user's, and which frame of a stack heads a wait."""

import random
from array import array

import pytest

from tests.support.engines import ENGINES
from viewer.trace.columns import BOOL, DOUBLE, INT, STRING, UINT
from viewer.trace.engine import BEST, HAS_NATIVE, in_python
from viewer.trace.sites import (
    Site,
    entry,
    head,
    innermost,
    is_library,
    own_frames,
    place_of,
    via,
)

PACKAGE = "/env/lib/python3.13/site-packages/db/connection.py:120 Connection.execute"
INNER = "/env/lib/python3.13/site-packages/db/waiting.py:9 wait"
STANDARD = "/usr/lib/python3.13/queue.py:180 Queue.get"
MINE = "/srv/shop/orders.py:31 report"
ABOVE = "/srv/shop/main.py:7 main"

HANDLE = "/usr/lib/python3.13/asyncio/events.py:89 Handle._run"
LOADS = "<frozen importlib._bootstrap>:488 _call"
UVLOOP = "/usr/lib/python3.13/asyncio/runners.py:118 Runner.run"
TRIO = "/srv/venv/lib/python3.13/site-packages/trio/_core/_run.py:2758 unrolled_run"
DEFERRED = (
    "/srv/venv/lib/python3.13/site-packages/twisted/internet/defer.py:1181 Deferred.__iter__"
)


def column(code, values):
    return memoryview(array(code, values))


@pytest.mark.parametrize(
    ("frame", "library"),
    [
        (PACKAGE, True),
        (STANDARD, True),
        ("/usr/lib/python3/dist-packages/six.py:1 f", True),
        ("/opt/python/lib/python3.13t/threading.py:1 f", True),
        ("<frozen importlib._bootstrap>:1 _load", True),
        ("<sqlalchemy generated _go() wrapper for sqlalchemy.orm.Session.x>:2 x", True),
        ("<attrs generated init app.Order>:3 __init__", True),
        ("<string>:1 <module>", False),
        ("<sqlalchemy generated _go() wrapper for Session.execute>:2 execute", True),
        ("connection_task:1 HttpProtocol.connection_task", True),
        ("connection.py:1 HttpProtocol.connection_task", False),
        ("connection task:1 f", False),
        (MINE, False),
        ("/srv/library/python3/app.py:1 f", False),
    ],
)
def test_is_library(frame, library):
    """Installed packages and the standard library are; a path that looks alike is not."""
    assert is_library(frame) is library


@pytest.mark.parametrize(
    ("frames", "own"),
    [
        (["/usr/lib/python3.13/queue.py:9 get", "/a.py:2 f", "/a.py:5 main"], [1, 2]),
        (["/a.py:2 f", "/usr/lib/python3.13/queue.py:9 get", "/a.py:5 main"], [0, 2]),
        (["/usr/lib/python3.13/queue.py:9 get"], []),
        ([""], []),
    ],
)
def test_own_frames(frames, own):
    """In their order; the text of no stack is one empty frame."""
    assert own_frames(frames) == [frames[n] for n in own]
    assert innermost(frames) == (frames[own[0]] if own else "")


def test_place_of():
    """Names may have spaces; what is no site has no parts."""
    assert place_of("/a b/c d.py:12 f.<locals>.<lambda>") == (
        "/a b/c d.py",
        12,
        "f.<locals>.<lambda>",
    )
    assert place_of("somewhere") == ("", 0, "")


@pytest.mark.parametrize(
    ("stack", "site", "called"),
    [
        ([INNER, PACKAGE, MINE, ABOVE], MINE, "Connection.execute"),
        ([STANDARD, MINE], MINE, ""),
        ([DEFERRED, MINE, ABOVE], MINE, ""),
        ([STANDARD, PACKAGE, MINE], MINE, "Connection.execute"),
        ([MINE, PACKAGE, ABOVE], "", ""),
        ([INNER, PACKAGE], "", ""),
        ([INNER, "[truncated]"], "", ""),
        ([STANDARD, PACKAGE, HANDLE, MINE], "", ""),
        ([PACKAGE, UVLOOP, MINE], "", ""),
        ([STANDARD, PACKAGE, TRIO, MINE], "", ""),
        ([STANDARD, MINE, HANDLE, ABOVE], MINE, ""),
        ([LOADS, PACKAGE, HANDLE, MINE], MINE, "import"),
    ],
)
def test_head(stack, site, called):
    """The innermost frame of the user's, and the package's function it called."""
    found = head("\n".join(stack))
    assert (found, via(found)) == (site, called)


def test_entry():
    """Below middleware of the user's, above the helpers that the handler calls itself."""
    middleware, handler, helper = "/srv/mw.py:1 mw", "/srv/app.py:5 handler", "/srv/app.py:9 h"
    assert entry([INNER, helper, handler, PACKAGE, middleware, PACKAGE]) == handler
    assert entry([INNER, PACKAGE]) == ""


def test_what_an_import_runs_is_no_entry():
    """A library imports the user's module, which imports a package of dataclasses."""
    loads, module = "<frozen importlib._bootstrap>:488 _call", "/srv/app.py:1 <module>"
    made, handler = "<string>:8 __create_fn__", "/srv/app.py:5 handler"
    assert entry([made, PACKAGE, loads, module, loads, PACKAGE]) == ""
    assert entry([made, PACKAGE, loads, handler, PACKAGE]) == handler


def test_site_is_its_text():
    """Sites group by their text, whatever they were called through."""
    assert {Site(MINE, "a"), Site(MINE, "b"), MINE} == {MINE}
    assert via(MINE) == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_find_args(engine):
    """At the begin, else at the end; only texts of that name."""
    starts = column("i", [0, 2, 3, 5])
    names, kinds = column("i", [7, 8, 8, 7, 8]), column("B", [STRING, UINT, STRING, 3, STRING])
    begins, ends = column("i", [0, 0, 2]), column("i", [1, -1, 0])
    found = engine.find_args(begins, ends, starts, names, kinds, 8)
    assert found.tolist() == [2, -1, 4]
    assert engine.find_args(begins, ends, starts, names, kinds, -1).tolist() == [-1] * 3


@pytest.mark.parametrize("engine", ENGINES)
def test_find_numbers(engine):
    """At the begin, else at the end; whole numbers and truth of that name, no others."""
    starts = column("i", [0, 2, 3, 5])
    names = column("i", [8, 8, 8, 7, 8])
    kinds = column("B", [STRING, UINT, BOOL, INT, DOUBLE])
    begins, ends = column("i", [0, 1, 2, 2]), column("i", [2, -1, 1, -1])
    found = engine.find_numbers(begins, ends, starts, names, kinds, 8)
    assert found.tolist() == [1, 2, 2, -1]


@pytest.mark.parametrize("engine", ENGINES)
def test_head_sites(engine):
    """Only a library's site with a head is replaced, never a task's own."""
    value = column("q", [0, 1, 2, 0])  # strings: 0 a library's site, 1 the user's, 2 a stack
    heads, library = column("i", [-1, -1, 9]), column("B", [1, 0, 0])
    found = engine.head_sites(
        value,
        column("i", [0, 1, 3, -1]),
        column("i", [2, 2, 2, 2]),
        column("i", [-1, -1, 0, -1]),
        heads,
        library,
    )
    assert found.tolist() == [9, 1, 2, 0]


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
@pytest.mark.parametrize("seed", range(5))
def test_twins(seed):
    """Both makes agree on random columns."""
    choose = random.Random(seed)
    starts = column("i", sorted(choose.randrange(60) for _ in range(40)))
    names = column("i", [choose.randrange(3) for _ in range(60)])
    kinds = column("B", [choose.choice((STRING, UINT, DOUBLE, BOOL)) for _ in range(60)])
    begins = column("i", [choose.randrange(-1, 39) for _ in range(99)])
    ends = column("i", [choose.randrange(-1, 39) for _ in range(99)])
    for name in range(4):
        for find in ("find_args", "find_numbers"):
            found = [
                getattr(engine, find)(begins, ends, starts, names, kinds, name)
                for engine in (BEST, in_python())
            ]
            assert found[0] == found[1]
    value = column("q", [choose.randrange(20) for _ in range(60)])
    places = [column("i", [choose.randrange(-1, 60) for _ in range(99)]) for _ in range(3)]
    heads = column("i", [choose.randrange(-1, 20) for _ in range(20)])
    library = column("B", [choose.randrange(2) for _ in range(20)])
    arguments = (value, *places, heads, library)
    assert BEST.head_sites(*arguments) == in_python().head_sites(*arguments)


@pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
def test_bad_columns_are_refused():
    """The C functions check every index."""
    i, q, b = column("i", [0]), column("q", [0]), column("B", [0])
    far, two = column("i", [5]), column("i", [0, 0])
    for call in (
        lambda: BEST.find_args(far, i, two, i, b, 0),
        lambda: BEST.find_args(i, far, two, i, b, 0),
        lambda: BEST.find_args(i, i, far, i, b, 0),
        lambda: BEST.head_sites(q, far, i, i, i, b),
        lambda: BEST.head_sites(q, i, far, i, i, b),
        lambda: BEST.head_sites(column("q", [7]), i, i, column("i", [-1]), i, b),
        lambda: BEST.head_sites(q, two, i, i, i, b),
    ):
        with pytest.raises(ValueError, match="inconsistent columns"):
            call()
