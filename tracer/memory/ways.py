"""Who keeps the objects of a line: the ways from variables to live sampled objects, in words.

    app.CACHE['user-17'] -> list[81234] -> Order

The C core finds the ways, two milliseconds of the GIL at a time; here they get their names.
Nothing of the program runs for that: no property, no __repr__, no __eq__.
"""

import gc
import sys
from itertools import groupby, islice
from types import (
    AsyncGeneratorType,
    BuiltinMethodType,
    CellType,
    CoroutineType,
    FunctionType,
    GeneratorType,
    MemberDescriptorType,
    MethodType,
    ModuleType,
)

from tracer import _core
from tracer.errors import TracerError
from tracer.units import plural, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType
    from typing import Any, TypeGuard

    type Step = tuple[object, object]  # an object, and what leads to it: an index, a key
    type Table = dict[str, object]

_PATHS = 64  # that are looked for
_SHOWN = 8
_SITES = 2000  # lines that are told of
_STEPS = 12  # of a way, before and behind those that are left out
_TEXT = 40  # characters of a key
_AROUND = 300  # objects that are looked at for a circle
_HUGE = 10_000  # items: too many to be looked at without a pause
_REASONS = {  # of a search that ended early, as the core says it
    "time": "the search ended after {:g} s",
    "room": "the search ended where it had no more room",
    "stopped": "the search was stopped: the program forks or ends, or nobody waits for it",
}
ALL_CALLS = sys.maxsize
_VARIABLE = "in "  # how the name of a local variable begins; a module has no space
_CONTAINERS: "tuple[Any, ...]" = (dict, list, tuple, set, frozenset)
_LITERALS = (str, bytes, int, float, bool, type(None))
_PARTS: dict[type, tuple[str, ...]] = {
    FunctionType: ("__closure__", "__defaults__", "__kwdefaults__", "__dict__"),
    MethodType: ("__self__", "__func__"),
    BuiltinMethodType: ("__self__",),
    CellType: ("cell_contents",),
}
NOT_HELD = (
    "no variable leads to them: an extension keeps them, they are in use this moment, or they "
    "are garbage that was not collected yet"
)


def lines_of(site: str, seconds: float, own: int = 3) -> list[str]:
    """Lines of text: how many live sampled objects a line allocated, and who keeps them.

    `site` is a function, or the end of `path/file.py:12 function` or of `path/file.py:12`; it
    may be any line of the stack. The innermost `own` calls are not the program's. Raises
    TracerError if another thread looks already.
    """
    blocks = _core.sampled_blocks(site)
    if not blocks:
        return [nothing_of(site)]
    targets = [(address, number) for address, number, _ in blocks]
    total = size(sum(bytes_ for _, _, bytes_ in blocks))
    head = f"{plural(len(blocks), 'live sampled object')} of {site!r}, {total} themselves"
    names, roots = _roots(own)
    try:
        paths, end = _core.find_retained(roots, targets, seconds, _PATHS)
    except RuntimeError as error:
        raise TracerError(f"cannot look for who keeps {site!r}: {error}") from None
    del roots
    spaces = _namespaces()
    lines = _grouped([_told(path, names, spaces) for path in paths])
    reason = _REASONS[end].format(seconds) if end else ""
    if not paths and not reason:
        lines = [_circles(targets, spaces) or NOT_HELD]
    elif not paths:
        lines = [f"none was found: {reason}"]
    elif reason and len(paths) < min(_PATHS, len(targets)):
        lines.append(f"… {reason}")
    if len(paths) < len(blocks) and paths:
        head += f"; ways to {len(paths):,} of them"
    return [head, *lines]


def nothing_of(site: str) -> str:
    return f"no live sampled object was allocated at {site!r}"


def sites() -> list[str]:
    """The lines that live sampled objects were allocated at, or through."""
    found: dict[str, None] = {}
    for stack in _core.sampled_stacks():
        found.update(dict.fromkeys(stack.split("\n")))
        _core.give_way()
    return list(found)[:_SITES]


# --- where to begin ---


def _roots(own: int) -> tuple[list[str], tuple[object, ...]]:
    """The namespaces of the modules, by name, and the variables of all calls."""
    names: list[str] = []
    roots: list[object] = []
    for name, module in list(sys.modules.items()):
        _core.give_way()
        if isinstance(module, ModuleType) and not name.startswith("tracer."):
            names.append(name)
            roots.append(_dict_of(module))
    for thread, code, name, value in _variables_of_calls(own):
        _core.give_way()
        names.append(f"{_VARIABLE}{code.co_qualname} ({_where(thread, code)}): {name}")
        roots.append(value)
    return names, tuple(roots)


def _variables_of_calls(own: int) -> "Iterator[tuple[int, CodeType, str, object]]":
    rows, thread, calls = _core.variables(own, 0, 0)
    yield from rows
    while thread:
        rows, thread, calls = _core.variables(own, thread, calls)
        yield from rows


def _where(thread: int, code: "CodeType") -> str:
    threads = _dict_of(sys.modules.get("threading")).get("_active")
    of = _dict_of(threads.get(thread)).get("_name") if type(threads) is dict else None
    return f"{code.co_filename.rpartition('/')[2]}, {of or f'thread {thread:#x}'}"


def _dict_of(instance: object) -> "Table":
    try:
        found = object.__getattribute__(instance, "__dict__")
    except Exception:  # it has none
        return {}
    return found if isinstance(found, dict) else {}


# --- in words ---


def _told(path: "list[Step]", names: list[str], spaces: frozenset[int]) -> tuple[str, str]:
    """A way in words, and what ways that are alike have in common."""
    name, at = names[path[0][1]], 0  # type: ignore[call-overload]
    if not name.startswith(_VARIABLE) and len(path) > 1:
        name, at = f"{name}.{path[1][1]}", 1
    words, alike = _way(path[at:])
    first = len(_word(path[at][0]))
    words[0], alike[0] = name + words[0][first:], name + alike[0][first:]
    if len(words) == 1:
        words[0] += f" ({_word(path[-1][0])})"
    words, alike = _folded(words), sorted({*alike})
    if len(words) > 2 * _STEPS:
        words[_STEPS:-_STEPS] = [f"… {plural(len(words) - 2 * _STEPS, 'step')} …"]
    circle = _circle(path[-1][0], spaces)
    also = f" (in a circle: {circle})" if circle else ""
    return " -> ".join(words) + also, " -> ".join(alike)


def _folded(words: list[str]) -> list[str]:
    """Without repetitions: a chain has many."""
    found: list[str] = []
    for word, group in groupby(words):
        count = sum(1 for _ in group)
        found.append(word if count == 1 else f"{word} (× {count:,})")
    return found


def _is[T](of: object, kinds: "type[T] | tuple[type[T], ...]") -> "TypeGuard[T]":
    """As isinstance(), which asks an object for its `__class__`."""
    return issubclass(type(of), kinds)


def _container(of: object) -> "Any":
    """The built-in container that it is: its methods are not the program's."""
    return next((kind for kind in _CONTAINERS if issubclass(type(of), kind)), None)


def _word(of: object) -> str:
    """What an object is called: its type, and the function of what is suspended."""
    kind = type(of).__name__
    if _is(of, (CoroutineType, GeneratorType, AsyncGeneratorType)):
        return f"{kind} {of.__qualname__}"  # type: ignore[attr-defined]
    return kind


def _way(path: "list[Step]") -> tuple[list[str], list[str]]:
    """For each object its type, and what of it leads on: with and without numbers and keys."""
    words, alike, at = [_word(path[0][0])], [_word(path[0][0])], 0
    while at + 1 < len(path):
        _core.give_way()
        (parent, _), (child, edge) = path[at], path[at + 1]
        at += 1
        if type(child) is dict and at + 1 < len(path) and child is _dict_of(parent):
            at += 1
            accessor = general = f".{path[at][1]}"
        else:
            accessor, general = _accessor(parent, child, edge)
        words[-1] += accessor
        alike[-1] += general
        words.append(_word(path[at][0]))
        alike.append(words[-1])
    return words, alike


def _accessor(parent: object, child: object, edge: object) -> tuple[str, str]:
    kind = _container(parent)
    if kind in (dict, list, tuple):
        if edge is None and kind.__len__(parent) <= _AROUND:
            is_dict = kind is dict
            items = kind.items(parent) if is_dict else enumerate(kind.__iter__(parent))
            edge = next((key for key, value in items if value is child), None)
        shown = _short(edge) if kind is dict else edge
        return (f"[{shown}]", "[…]") if edge is not None else ("", "")
    name = _attribute(parent, child)
    return (f".{name}", f".{name}") if name else ("", "")


def _short(key: object) -> str:
    if type(key) not in _LITERALS:
        return f"<{type(key).__name__}>"
    text = repr(key[:_TEXT] if isinstance(key, str | bytes) else key)
    return text if len(text) <= _TEXT else f"{text[: _TEXT - 2]}…{text[-1]}"


def _attribute(parent: object, child: object) -> str:
    """The name by which the object refers to the other, "" if it has none that is data."""
    for name, value in islice(dict.items(_dict_of(parent)), _HUGE):
        if value is child:
            return str(name)
    for class_ in type.mro(type(parent)) if not _is(parent, type) else ():
        for name, member in dict.items(dict(type.__dict__["__dict__"].__get__(class_))):
            if isinstance(member, MemberDescriptorType) and _slot(member, parent) is child:
                return str(name)
    for name, value in _core.suspended_variables(parent):
        if value is child:
            return name
    for name in _PARTS.get(type(parent), ()):
        try:
            if getattr(parent, name) is child:
                return name
        except ValueError:  # an empty cell
            pass
    return ""


def _slot(member: MemberDescriptorType, instance: object) -> object:
    try:
        return member.__get__(instance)
    except Exception:  # it is not set, or another type's
        return None


def _namespaces() -> frozenset[int]:
    """The ids of the modules' dicts: what leads there is in no circle of the program's."""
    return frozenset(id(_dict_of(module)) for module in list(sys.modules.values()))


def _circle(start: object, spaces: frozenset[int]) -> str:
    """How an object leads back to itself, if it does so soon."""
    ways: dict[int, list[Step]] = {id(start): [(start, None)]}
    queue = [start]
    for parent in queue:
        _core.give_way()
        kind = _container(parent)
        if kind and kind.__len__(parent) > _HUGE:
            continue
        for child in gc.get_referents(parent):
            if child is start:
                way = [*ways[id(parent)], (start, None)]
                words, _ = _way(way)
                # What the interpreter and its libraries link together has no names.
                has_names = all(map(str.__ne__, words[:-1], (_word(of) for of, _ in way)))
                return " -> ".join(words) if has_names else ""
            if id(child) in ways or _is(child, (type, ModuleType, FunctionType)):
                continue
            if id(child) in spaces:
                continue
            if len(queue) >= _AROUND or not gc.is_tracked(child):
                continue
            ways[id(child)] = [*ways[id(parent)], (child, None)]
            queue.append(child)
    return ""


def _circles(targets: "list[tuple[int, int]]", spaces: frozenset[int]) -> str:
    for found in _core.find_tracked(targets, _SHOWN):
        circle = _circle(found, spaces)
        if circle:
            return f"only they themselves: {circle}; the garbage collector will free them"
    return ""


def _grouped(told: list[tuple[str, str]]) -> list[str]:
    """One of each kind of way, and how many are alike."""
    first: dict[str, str] = {}
    count: dict[str, int] = {}
    for text, alike in told:
        first.setdefault(alike, text)
        count[alike] = count.get(alike, 0) + 1
    lines = [
        text + (f", and {count[alike] - 1:,} more like it" if count[alike] > 1 else "")
        for alike, text in first.items()
    ]
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"… and {plural(more, 'other way')}"] if more > 0 else [])]
