"""Text on its way into a trace: what is escaped, and where it is cut."""

import pytest

from tests.support.records import MAIN, OTHER, Script, a_task
from tests.support.validator.strict import read_strict
from tracer import _core


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text é € 😀 ~", "plain text é € 😀 ~"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x00\x1b[31m\x7f", "\\x00\\x1b[31m\\x7f"),
        ("eight by\x1ftes, and\x7f more", "eight by\\x1ftes, and\\x7f more"),
        ("\x80\x85\x9f\xa0", "\\x80\\x85\\x9f\xa0"),
        ("\u2027\u2028\u2029\u202a\u202e\u202f", "\u2027\\u2028\\u2029\\u202a\\u202e\u202f"),
        ("\u2065\u2066\u2069\u206a\u2128", "\u2065\\u2066\\u2069\u206a\u2128"),
        ("half \ud83d a pair", "half \\ud83d a pair"),
        ("", ""),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    assert _core.shown_text(text) == shown
    assert _core.shown_text(shown) == shown


@pytest.mark.parametrize("before", range(990, 1001))
@pytest.mark.parametrize("last", ["\n", "\x1b", "\u2028", "€", "😀"])
def test_nothing_is_cut_in_two(before: int, last: str) -> None:
    """An escape or a character at the limit is there in full or not at all."""
    start = "x" * before
    shown = _core.shown_text(start + last + "behind" * 10)
    assert len(shown.encode()) <= 1000
    whole = start + _core.shown_text(last)
    is_whole = len(whole.encode()) <= 1000
    assert shown.startswith(whole) if is_whole else shown == start


def names_of(script: Script) -> set[str]:
    tracks = read_strict(script.data()).tracks.values()
    return {track.thread_name or track.name for track in tracks}


def test_who_has_no_name_has_a_number() -> None:
    """So that two of them can be told apart."""
    script = Script([])
    script.add(1_000, "THREAD_BEGIN", tid=OTHER)
    script.add(1_100, "THREAD_NAME", MAIN)
    script.add(1_200, "THREAD_NAME", OTHER, tid=OTHER)
    a_task(script)
    script.add(2_100, "TASK_NAME", 1)
    script.add(3_000, "STEP_BEGIN", 1)
    assert {"MainThread", f"thread {OTHER}", "#1 handler()"} <= names_of(script)
