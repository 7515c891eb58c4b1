"""Places in code, of the user or of a library; Python twins of native/sites.c.

A site is `file:line function`, as the trace has it. A wait inside a library gets the innermost
frame of the user's code as its site, and the library's function that the user called comes
second, as `via`.
"""

import re
from array import array
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import NamedTuple

from viewer.trace.columns import BOOL, INT, STRING, UINT, Column

_PACKAGE = re.compile(r".*/(?:site|dist)-packages/")
_STANDARD = re.compile(r"<frozen |.*/lib(?:64)?/python3(?:\.\d+t?)?/")
# Code that a library made, named like a function (Sanic) or after its maker (SQLAlchemy).
_MADE = re.compile(r"[A-Za-z_]\w*:-?\d+(?: |$)|<\w+ generated ")
IMPORTLIB = ("<frozen importlib", "<frozen zipimport>")
NOWHERE = "?:0"  # the site of a coroutine that is no Python function's, such as Cython's
IMPORT = "import"  # what was called where the user's code imported something
_SITE = re.compile(r"(.+):(-?\d+) (.+)")
# What a loop's own code is called by: outside of it is only who started the loop.
_RUN = (" Handle._run", " Runner.run", " unrolled_run")
_LOOPS = re.compile(r".*/(?:asyncio/(?:events|runners)|trio/_core/_run)\.py:\d+ ")
# Not called by who awaits something: it is the await.
_AWAIT = re.compile(r".*/twisted/internet/defer\.py:\d+ Deferred\.__iter__$")


class Names(StrEnum):
    """Whose code names a wait, a task, a call."""

    USER = "user"
    LIBRARY = "library"


class Site(str):
    """A place in the user's code, equal to its text. `via` is the library's function that it
    called or, for a task, the library's coroutine that it runs in."""

    via: str

    def __new__(cls, text: str, via: str) -> "Site":
        site = super().__new__(cls, text)
        site.via = via
        return site


def via(site: str) -> str:
    """The library's function behind a site in the user's code, or ""."""
    return site.via if isinstance(site, Site) else ""


class Place(NamedTuple):
    """The parts of a site; "" and 0 where the text is no site."""

    path: str
    line: int
    function: str


def place_of(site: str) -> Place:
    """`app.py:3 App.run` -> ("app.py", 3, "App.run")."""
    match = _SITE.fullmatch(site)
    return Place(match[1], int(match[2]), match[3]) if match else Place("", 0, "")


def is_later(at: Place, here: Place) -> bool:
    """Whether one is a later line of the same function."""
    return at._replace(line=here.line) == here and at.line > here.line


def function_of(site: str) -> tuple[str, str]:
    """Its file and function, whatever the line."""
    return place_of(site)[::2]


def _is_own_path(frame: str) -> bool:
    """Whether no library's pattern can match, as for nearly all of the user's frames."""
    return frame.startswith("/") and "-packages/" not in frame and "/lib" not in frame


def is_own_site(frame: str) -> bool:
    """Whether it is a site and no library's, as nearly always where it is the user's."""
    return _is_own_path(frame) and _SITE.fullmatch(frame) is not None


def is_library(frame: str) -> bool:
    """Whether a frame is of the standard library or of an installed package."""
    if _is_own_path(frame):
        return False
    return bool(_PACKAGE.match(frame) or _STANDARD.match(frame) or _MADE.match(frame))


def own_frames(frames: Iterable[str]) -> list[str]:
    """Those of the user's code."""
    return [frame for frame in frames if frame and not is_library(frame)]


def innermost(frames: Iterable[str]) -> str:
    """The first of them that is of the user's code; "" none."""
    return next((frame for frame in frames if frame and not is_library(frame)), "")


def _frames(stack: str) -> Iterator[str]:
    """The frames of a stack one by one: of a deep one, the first few tell."""
    start, end = 0, stack.find("\n")
    while end >= 0:
        yield stack[start:end]
        start, end = end + 1, stack.find("\n", end + 1)
    yield stack[start:]


def head(stack: str) -> str:
    """The innermost frame of the user's code, when it is inside a call to a library; else "".

    `stack` has a frame per line, innermost first. The answer is a `Site` where the user called
    a package or imported something; a call to the standard library already names its wait.
    What a loop runs (a package's callback that sends) was not called by who started the loop.
    """
    if is_own_site(stack[: stack.find("\n")]):
        return ""  # nothing was called
    inside, imports = "", False
    for frame in _frames(stack):
        if frame.endswith(_RUN) and not imports and _LOOPS.match(frame):
            return ""
        if _SITE.fullmatch(frame) and not is_library(frame):
            is_called = _PACKAGE.match(inside) and not _AWAIT.match(inside)
            called = place_of(inside).function if is_called else ""
            called = IMPORT if imports else called
            return Site(frame, called) if called else frame if inside else ""
        inside, imports = frame, imports or frame.startswith(IMPORTLIB)
    return ""


def imports(path: str) -> bool:
    """Whether code of that file is the import machinery."""
    return path.startswith(IMPORTLIB)


def is_import(site: str) -> bool:
    """Whether a wait there happens in the import machinery."""
    return via(site) == IMPORT or site.startswith(IMPORTLIB)


def called(stack: str) -> str:
    """The library's function that the user's code called; "" when it called none."""
    inside = ""
    for frame in _frames(stack):
        if _SITE.fullmatch(frame) and not is_library(frame):
            return place_of(inside).function
        inside = frame
    return ""


def entry(frames: list[str]) -> str:
    """Where a library last entered the user's code; frames are innermost first.

    That is the handler, below all middleware and above the helpers that it calls itself. What
    an import runs is nobody's handler: modules, what makes their classes, hooks of importing.
    """
    found = ""
    imports = [i for i, frame in enumerate(frames) if frame.startswith(IMPORTLIB)]
    for frame in frames[imports[-1] + 1 :] if imports else frames:
        if is_library(frame) or not _SITE.fullmatch(frame):
            if found:
                break
        else:
            found = frame
    return found


def find_args(
    event: Column,
    end_event: Column,
    arg_start: Column,
    arg_name: Column,
    arg_kind: Column,
    name: int,
) -> Column:
    """By slice, the index of the text argument of that name: at its begin, else at its end.

    -1 if it is at neither.
    """
    return _find(event, end_event, arg_start, arg_name, arg_kind, name, (STRING,))


def find_numbers(
    event: Column,
    end_event: Column,
    arg_start: Column,
    arg_name: Column,
    arg_kind: Column,
    name: int,
) -> Column:
    """The same for a whole number."""
    return _find(event, end_event, arg_start, arg_name, arg_kind, name, (BOOL, UINT, INT))


def _find(
    event: Column,
    end_event: Column,
    arg_start: Column,
    arg_name: Column,
    arg_kind: Column,
    name: int,
    kinds: tuple[int, ...],
) -> Column:
    found = array("i")
    for ends in zip(event, end_event, strict=True):
        places = (
            a
            for end in ends
            if end >= 0
            for a in range(arg_start[end], arg_start[end + 1])
            if arg_name[a] == name and arg_kind[a] in kinds
        )
        found.append(next(places, -1))
    return memoryview(found)


def head_sites(
    value: Column,
    site_at: Column,
    stack_at: Column,
    own: Column,
    heads: Column,
    library: Column,
) -> Column:
    """The values, with the head of the slice's stack in place of each site in a library.

    Where `own` is not -1 the site is a task's own, not that of the stack.
    """
    sites = array("q", value)
    for site, stack, coro in zip(site_at, stack_at, own, strict=True):
        if site < 0 or stack < 0 or coro >= 0:
            continue
        if library[value[site]] and heads[value[stack]] >= 0:
            sites[site] = heads[value[stack]]
    return memoryview(sites)
