"""What the browser tests share: each sample is recorded once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import SAMPLES, Recorder


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The trace of a sample, by its name."""

    @cache
    def trace(name: str) -> Path:
        return Recorder(tmp_path_factory.mktemp(name))(SAMPLES / f"{name}.py")

    return trace
