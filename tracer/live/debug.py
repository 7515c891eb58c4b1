"""TRACER_DEBUG: what a recording says on stderr as it goes on.

Imports nothing that a plain `python` has not loaded already.
"""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

VARIABLE = "TRACER_DEBUG"
# Word -> the largest number that may follow it.
WORDS = {"schedtrace": 86_400_000, "scheddetail": 1, "gctrace": 1}
USAGE = "schedtrace=MILLISECONDS, scheddetail=1 and gctrace=1, with commas between them"


def parsed(text: str) -> tuple[dict[str, int], list[str]]:
    """(words with their numbers, what makes no sense)."""
    found: dict[str, int] = {}
    wrong = []
    for item in filter(None, map(str.strip, text.split(","))):
        word, _, number = item.partition("=")
        known = word in WORDS and number.isascii() and number.isdigit() and len(number) < 10
        if known and int(number) <= WORDS[word]:
            found[word] = int(number)
        else:
            wrong.append(item)
    return found, wrong


def arm(core: "ModuleType") -> None:
    """Does what the environment asks for. The program runs on whatever that is."""
    text = os.environ.get(VARIABLE)
    if not text:
        return
    found, wrong = parsed(text)
    for item in wrong:
        _say(f"{VARIABLE} does not know {item!r}. It knows {USAGE}.")
    core.debug_lines(
        found.get("schedtrace", 0),
        bool(found.get("scheddetail", 0)),
        bool(found.get("gctrace", 0)),
    )


def _say(line: str) -> None:
    try:  # noqa: SIM105 - plain python has not loaded contextlib
        os.write(2, f"tracer: {line}\n".encode(errors="backslashreplace"))
    except OSError:
        pass
