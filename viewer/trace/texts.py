"""Searches through all texts of a trace; Python twins of native/texts.c."""

from array import array

from viewer.trace.columns import Column
from viewer.trace.sites import is_own_site
from viewer.trace.strings import Strings


def beginning(texts: Strings, numbers: Column, prefix: str) -> Column:
    """Those of the numbered texts that begin so."""
    return memoryview(array("i", (i for i in numbers if texts[i].startswith(prefix))))


def calling(texts: Strings) -> Column:
    """The stacks whose innermost frame may be a library's."""
    return memoryview(array("i", (i for i, text in enumerate(texts) if _may_call(text))))


def _may_call(text: str) -> bool:
    first, end, _ = text.partition("\n")
    return bool(end) and not is_own_site(first)


def lines(texts: Strings) -> bytes:
    """The lines of all, without digits, each once."""
    every = (text.encode().translate(None, b"0123456789") for text in texts)
    return b"\n".join(dict.fromkeys(line for text in every for line in text.split(b"\n")))
