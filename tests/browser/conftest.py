"""What the browser tests share: a browser for each module; each sample is recorded once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
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


@pytest.fixture(scope="module", autouse=True)
def _one_browser() -> Iterator[None]:
    """A browser takes seconds to start: a module's tests share the one that page.py starts."""
    yield
    page = sys.modules.get("tests.browser.page")  # importing it needs playwright
    if page is not None:
        page.close_browser()
