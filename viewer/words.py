"""Names and places of a trace, as short as a sentence or a column can take them."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from sys import intern

from viewer.trace.sites import NOWHERE, place_of, via

_LIBRARY = re.compile(r"^.*/(?:site-packages|dist-packages|lib/python3\.\d+)/")
_AT_LINE = re.compile(r".*:\d+(?= |$)")  # a file's name may have spaces
_NUMBER = re.compile(r"\d+")
_DIGITS = dict.fromkeys(map(ord, "0123456789"), "\0")
_LONG = 48


def shorten(text: str, width: int) -> str:
    """At most `width` characters; the middle is cut, since both ends of a name matter most."""
    text = text.replace("\n", " ")
    if len(text) <= width:
        return text
    keep = width - 1
    tail = keep * 2 // 3
    return text[: keep - tail] + "…" + text[len(text) - tail :]


def tail(text: str, width: int) -> str:
    """The last characters, at most `width`: for a path, the file and line."""
    return text if len(text) <= width else "…" + text[len(text) - width + 1 :]


class Named(str):
    """A name and its place, as a cell: `Lock app.py:12`. Both stay readable when cut."""

    name: str
    where: str

    def __new__(cls, name: str, where: str) -> "Named":
        cell = super().__new__(cls, f"{name} {where}".strip())
        cell.name, cell.where = name, where
        return cell

    def fitted(self, width: int) -> str:
        """At most `width` characters: directories go first, then the middle of the name."""
        if len(self) <= width or not self.where:
            return shorten(self, width)
        parts = self.where.split("/")
        for n in range(1, len(parts)):
            cut = f"{self.name} …/{'/'.join(parts[n:])}"
            if len(cut) <= width:
                return cut
        last = (
            parts[-1] if len(parts[-1]) <= width * 2 // 3 else tail(parts[-1], width * 2 // 3)
        )
        return f"{shorten(self.name, max(width - len(last) - 1, 1))} {last}"


def place(site: str, base: str = "") -> str:
    """`file.py:12` of a "path/file.py:12 function" site; of a library, `module/file.py:12`.

    With a `base` directory the path is kept, relative to it where that is shorter. Without,
    the library's function that the user's code called there comes second. "" of no place.
    """
    if site.startswith(NOWHERE):
        return ""
    at_line = _AT_LINE.match(site)
    where = at_line[0] if at_line else site
    module = _LIBRARY.sub("", where)
    if not base:
        short = module if module != where else where.rpartition("/")[2]
        return f"{short}, via `{shorten(called, _LONG)}`" if (called := via(site)) else short
    if module != where:
        return module
    path, colon, line = where.rpartition(":")
    if not colon or not os.path.isabs(path):
        return where
    return min(where, f"{os.path.relpath(path, base)}:{line}", key=len)


def places(sites: Sequence[str], base: str) -> list[str]:
    """As in `place`; where several sites are at one line, each has its function too."""
    found = [place(site, base) for site in sites]
    times = Counter(found)
    return [
        f"{at} {place_of(site).function}" if times[at] > 1 else at
        for at, site in zip(found, sites, strict=True)
    ]


def beside(site: str, base: str = "") -> str:
    """` (file.py:12)`, what stands behind a name; "" of no place."""
    where = place(site, base)
    where = tail(where, _LONG) if base else where
    return f" ({where})" if where else ""


def code(name: str, site: str = "") -> str:
    """`name` in backquotes, and where it is."""
    return f"`{shorten(name, _LONG)}`{beside(site)}"


def stems(names: Sequence[str]) -> list[str]:
    """`stem` of each of very many: all in one go."""
    return [*_stems(tuple(names))]


@lru_cache(maxsize=2)  # several findings ask for those of all threads
def _stems(names: tuple[str, ...]) -> list[str]:
    text = "\n".join(names)
    if text.count("\n") != len(names) - 1:
        return [*map(stem, names)]
    if text.isascii() and "\0" not in text:  # as a pattern would, but at once
        text = text.translate(_DIGITS)
        while "\0\0" in text:
            text = text.replace("\0\0", "\0")
        text = text.replace("\0", "N")
    else:
        text = _NUMBER.sub("N", text)
    # Equal ones are one object: they are keys of several tables.
    return [*map(intern, f"{text}\n".replace(" (N)\n", "\n").split("\n")[:-1])]


@lru_cache(maxsize=1 << 18)
def stem(name: str) -> str:
    """A name with N for its numbers, which the workers of a pool share."""
    return _NUMBER.sub("N", name).removesuffix(" (N)")
