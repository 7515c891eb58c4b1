"""A trace's text as terminals and pages may show it. Recorders escape the same characters."""

import re

# Control characters, the separators of lines, and what turns the text's direction.
_ENDS_OF_LINES = "\n\u2028\u2029"
_OTHERS = "\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
_NO_NAME = re.compile(f"[{_ENDS_OF_LINES}{_OTHERS}]")
_NO_LINES = re.compile(f"[\u2028\u2029{_OTHERS}]")


def shown_name(text: str) -> str:
    return text if text.isprintable() else _NO_NAME.sub(_escape, text)


def shown_texts(texts: list[str]) -> list[str]:
    """The same list if there is nothing to escape. Ends of lines stay: stacks have them."""
    if not _NO_LINES.search("".join(texts)):
        return texts
    return [_NO_LINES.sub(_escape, text) for text in texts]


def _escape(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
