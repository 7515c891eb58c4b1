"""What the tests of flight recordings share."""

from pathlib import Path

import pytest

from tests.support.flights import Runner


@pytest.fixture
def run(tmp_path: Path) -> Runner:
    return Runner(tmp_path)
