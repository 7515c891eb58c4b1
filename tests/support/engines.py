"""Both versions of the heavy functions, for tests that must hold for each."""

from dataclasses import fields
from typing import Any

import pytest

from viewer.trace.engine import BEST, HAS_NATIVE, PYTHON

_NO_C = pytest.mark.skipif(
    not HAS_NATIVE, reason="needs the C decoder, which was not built: install a C compiler"
)
ENGINES = [pytest.param(PYTHON, id="python"), pytest.param(BEST, id="c", marks=_NO_C)]


def plain(columns: Any) -> dict[str, object]:
    """A dataclass of columns as lists, so that a test shows where two differ."""
    values = {field.name: getattr(columns, field.name) for field in fields(columns)}
    return {n: v.tolist() if isinstance(v, memoryview) else v for n, v in values.items()}
