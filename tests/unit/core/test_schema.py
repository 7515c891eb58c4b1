"""The contract in Python and its C mirror are equal."""

import pytest

from tracer import _core, schema

SUFFIX = "_ID"  # in C the plain names are macros of time.h


@pytest.mark.parametrize("name", sorted(_core.SCHEMA_NUMBERS))
def test_number(name: str) -> None:
    """Every number of schema.h stands in schema.py with the same value."""
    mine = name if hasattr(schema, name) else name.removesuffix(SUFFIX)
    assert getattr(schema, mine) == _core.SCHEMA_NUMBERS[name]


@pytest.mark.parametrize("name", sorted(_core.SCHEMA_TEXTS))
def test_text(name: str) -> None:
    """Every name of schema.h stands in schema.py with the same text."""
    assert getattr(schema, name) == _core.SCHEMA_TEXTS[name]


def test_nothing_is_only_in_python() -> None:
    """The recorder can write every category, slice name and argument the reader knows."""
    prefixes = ("CAT_", "ARG_", "TRACK_", "COUNTER_")
    texts = {
        name
        for name, value in vars(schema).items()
        if name.startswith(prefixes) and isinstance(value, str)
    }
    assert texts <= _core.SCHEMA_TEXTS.keys()
