"""What the tests of the samples share: their recordings."""

import pytest

from tests.support.samples import Samples


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Samples:
    return Samples(tmp_path_factory)
