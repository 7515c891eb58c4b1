"""What the browser tests share: a browser for each module; each sample is recorded once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.samples import Samples


@pytest.fixture(scope="session")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The trace of a sample, by its name."""
    samples = Samples(tmp_path_factory)
    return lambda name: samples(f"{name}.py").trace


@pytest.fixture(scope="module", autouse=True)
def _one_browser() -> Iterator[None]:
    """A browser takes seconds to start: a module's tests share the one that page.py starts."""
    yield
    page = sys.modules.get("tests.browser.page")  # importing it needs playwright
    if page is not None:
        page.close_browser()
