"""The hash map of the core."""

from tracer import _core


def test_keys_that_collide_and_zero() -> None:
    """It finds what was put, and keeps nothing under 0, which marks a free place."""
    keys = [0, *range(1, 300), *(number << 32 for number in range(1, 300)), 2**64 - 2]
    found = _core.map_keeps(keys)
    assert found == [False, *[True] * (len(keys) - 1), True]


def test_only_zero() -> None:
    """Removing it removes nothing either: the map stays empty."""
    assert _core.map_keeps([0, 0]) == [False, False, True]
