"""A trace's text as terminals and pages may show it. Recorders escape the same characters."""

import re
from collections.abc import Iterable
from itertools import batched

# Control characters, the separators of lines, and what turns the text's direction.
_ENDS_OF_LINES = "\n\u2028\u2029"
_OTHERS = "\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_PLAIN = bytes([ord("\n"), *range(0x20, 0x7F)])
_AT_ONCE = 4096  # texts
_NO_NAME = re.compile(f"[{_ENDS_OF_LINES}{_OTHERS}]")
_NO_LINES = re.compile(f"[\u2028\u2029{_OTHERS}]")


def shown_name(text: str) -> str:
    return text if text.isprintable() else _NO_NAME.sub(_escape, text)


def is_plain(texts: Iterable[bytes]) -> bool:
    """Whether all consist of printable ASCII and ends of lines: nothing to escape."""
    return not b"".join(texts).translate(None, _PLAIN)


def shown_texts(texts: list[str]) -> list[str]:
    """The same list if there is nothing to escape. Ends of lines stay: stacks have them."""
    if not any(map(_has_others, batched(texts, _AT_ONCE))):
        return texts
    return [_NO_LINES.sub(_escape, text) for text in texts]


def _has_others(texts: tuple[str, ...]) -> bool:
    """Whether one has a character to escape, other than ends of lines."""
    joined = "".join(texts)
    if joined.isascii():  # nearly always, and much faster
        return bool(joined.encode().translate(None, _PLAIN))
    return _NO_LINES.search(joined) is not None


def _escape(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
