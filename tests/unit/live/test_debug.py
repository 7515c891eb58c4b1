"""The words of TRACER_DEBUG."""

import pytest

from tracer.live.debug import parsed


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("schedtrace=1000", {"schedtrace": 1000}),
        (" gctrace=1 , schedtrace=0,", {"gctrace": 1, "schedtrace": 0}),
        ("gctrace=1,gctrace=0", {"gctrace": 0}),
        ("", {}),
    ],
)
def test_words(text: str, found: dict[str, int]) -> None:
    assert parsed(text) == (found, [])


@pytest.mark.parametrize(
    "item",
    [
        "gctrace",
        "gctrace=2",
        "gctrace=-1",
        "gctrace=",
        "schedtrace=1s",
        "schedtrace=٣",
        "schedtrace=99999999999999999999",
        "schedtrace=86400001",
        "madvdontneed=1",
        "GCTRACE=1",
    ],
)
def test_what_makes_no_sense_is_named_and_the_rest_counts(item: str) -> None:
    assert parsed(f"scheddetail=1,{item}") == ({"scheddetail": 1}, [item])
