"""Numbers as people write them."""

import pytest

from viewer.render.units import duration, moment, place, plural, share, shorten, size


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0"),
        (1, "1 ns"),
        (999, "999 ns"),
        (1_000, "1.00 µs"),
        (1_254, "1.25 µs"),
        (9_996, "10.0 µs"),
        (99_960, "100 µs"),
        (999_400, "999 µs"),
        (999_600, "1.00 ms"),
        (31_249_000, "31.2 ms"),
        (1_000_000_000, "1.00 s"),
        (1_204_000_000_000, "1,204 s"),
    ],
)
def test_duration(ns, text):
    """Three digits and a unit, carried over where rounding says so."""
    assert duration(ns) == text


def test_moment():
    """From a second on, times since the start are exact to the millisecond."""
    assert (moment(5_671_234_567), moment(11_000_000)) == ("5.671 s", "11.0 ms")


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [(0, 5, "0 %"), (1, 1_000, "<1 %"), (999, 1_000, "99 %"), (7, 7, "100 %"), (1, 3, "33 %")],
)
def test_share(part, whole, text):
    """Nothing that is there is 0 %, and no part is 100 %."""
    assert share(part, whole) == text


def test_shorten():
    """The middle of a long name goes."""
    assert shorten("Service.handle_request", 12) == "Serv…request"
    assert shorten("short", 12) == "short"


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


def test_counts():
    """Plurals and sizes."""
    assert (plural(1, "row"), plural(2_000, "row")) == ("1 row", "2,000 rows")
    assert (size(812), size(4_321_000)) == ("812 B", "4.3 MB")
