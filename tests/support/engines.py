"""Both versions of the heavy functions, for tests that must hold for each."""

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from viewer.trace.engine import BEST, HAS_NATIVE, in_python

_NO_C = pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
ENGINES = [pytest.param(in_python(), id="python"), pytest.param(BEST, id="c", marks=_NO_C)]


def plain(columns: Any) -> dict[str, object]:
    """A table of columns as lists, so that a test shows where two differ."""
    if is_dataclass(columns):
        values = {each.name: getattr(columns, each.name) for each in fields(columns)}
    else:
        values = columns._asdict()
    return {name: _plain(value) for name, value in values.items()}


def _plain(value: Any) -> object:
    if isinstance(value, memoryview):
        return value.tolist()
    return [*value] if hasattr(value, "find") and hasattr(value, "append") else value
