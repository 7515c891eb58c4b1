"""Numbers, names and places as people read them."""

import pytest

from tests.support.numbers import CASES
from tracer import units
from viewer.words import place, places, shorten, tail


@pytest.mark.parametrize(("function", "arguments", "text"), CASES)
def test_numbers(function, arguments, text):
    """Every case; the page has the same in tests/browser/test_format.py."""
    assert getattr(units, function)(*arguments) == text


def test_addends():
    """Parts add up as they are written: to the µs, or to the ns below a millisecond."""
    assert units.addends([33_082_000, 32_909_400, 172_600]) == [
        "33.082 ms", "32.909 ms", "0.173 ms",
    ]  # fmt: skip
    assert units.addends([5_000_000_000]) == ["5,000.000 ms"]
    assert units.addends([47_300, 300]) == ["47.300 µs", "0.300 µs"]


def test_plural():
    assert (units.plural(1, "row"), units.plural(2_000, "row")) == ("1 row", "2,000 rows")


def test_shorten():
    """The middle of a long name goes; of a path, the beginning."""
    assert shorten("Service.handle_request", 12) == "Serv…request"
    assert shorten("short", 12) == "short"
    assert tail("/srv/app/web.py:12", 10) == "…web.py:12"


def test_place():
    """A site is its file and line, relative where that is shorter."""
    assert place("/app/x.py:3 Class.f", "/app") == "x.py:3"
    assert place("/usr/lib/x.py:3 f", "/home/someone/project") == "/usr/lib/x.py:3"
    assert place("/usr/lib/python3.13/asyncio/tasks.py:9 f", "/app") == "asyncio/tasks.py:9"
    assert place("/v/lib/python3.13/site-packages/a/b.py:9 f", "/app") == "a/b.py:9"
    assert place("x.py:3 f", "/app") == "x.py:3"
    assert place("/my app/x.py:3 f", "/my app") == "x.py:3"
    frozen = "<frozen importlib._bootstrap>:488"
    assert place(frozen, "/app") == place(f"{frozen} _load", "/app") == frozen


def test_places_of_a_table():
    """Two functions at one line are told apart; others need no name."""
    sites = [
        "/app/x.py:3 f",
        "/app/x.py:3 f.<genexpr>",
        "/app/x.py:4 f",
        "[no stack]",
    ]
    assert places(sites, "/app") == [
        "x.py:3 f", "x.py:3 f.<genexpr>", "x.py:4", "[no stack]",
    ]  # fmt: skip


def test_place_in_a_sentence():
    """Without a directory to start from, only the file's own name counts."""
    assert place("/srv/my app/x.py:3 f") == "x.py:3"
    assert place("/usr/lib/python3.13/json/__init__.py:9 f") == "json/__init__.py:9"
