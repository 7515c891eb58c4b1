"""Names for what tasks wait for: code of a library, and the wait that it means."""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from types import CodeType, ModuleType
    from typing import Any

# Which name counts, where several functions await each other: the innermost; but an "outward"
# one before those inside it, and a "last" one only if there is no other. The innermost of a
# package's counts before those of asyncio and trio inside it.
INNER, OUTWARD, LAST, PACKAGE = range(4)


# By attribute for the slots and for who has them: the number of such a pool in the core.
_pools: "dict[tuple[str, str], int]" = {}


def find(start: "Any", path: str) -> "Any":
    """`start.path`, or None if there is no such thing."""
    for name in path.split("."):
        start = getattr(start, name, None)
    return start


def inner(code: "CodeType", name: str) -> "CodeType":
    """The function that another one defines."""
    (found,) = [each for each in code.co_consts if getattr(each, "co_name", "") == name]
    return found  # type: ignore[no-any-return]


def variables(code: "CodeType") -> "list[str]":
    """What a frame of the code has, in order."""
    own = [name for name in code.co_cellvars if name not in code.co_varnames]
    return [*code.co_varnames, *own, *code.co_freevars]


def label(
    core: "ModuleType", library: str, waits: "Iterable[tuple[str, str, str, int]]"
) -> None:
    """Names the waits of a library's code: (module, function, name, which name counts)."""
    for module, path, what, outward in waits:
        function = find(sys.modules.get(f"{library}.{module}"), path)
        if hasattr(function, "__code__"):
            core.label_code(function.__code__, f"await {what}", outward)


def label_pool(
    core: "ModuleType", library: str, module: str, path: str, what: str, of: "tuple[str, str]"
) -> None:
    """Names the wait for a slot of a pool, the code's `self`; `of` are its attributes that
    have the number of slots, and a set of the tasks that have them."""
    function = find(sys.modules.get(f"{library}.{module}"), path)
    if hasattr(function, "__code__"):
        if of not in _pools:
            slots, holders = of
            _pools[of] = core.library_pool(0, (), ((slots,),), False, 0, (holders,))
        core.label_library(function.__code__, f"await {what}", "", False, _pools[of])


def label_wrapper(
    core: "ModuleType", library: str, module: str, path: str, variable: str, attribute: str
) -> None:
    """Names a library's tasks by what they run: `variable.attribute` of their coroutine. A
    path `f:g` is the function g that f defines."""
    outer, _, nested = path.partition(":")
    code = getattr(find(sys.modules.get(f"{library}.{module}"), outer), "__code__", None)
    if code is None:  # this version lacks it
        return
    code = inner(code, nested) if nested else code
    found = variables(code)
    if variable in found:
        names = (attribute,) if attribute else ()
        core.label_wrapper(code, found.index(variable), names)
