"""Servers that the tests of libraries share: started once, when the first test needs one."""

from collections.abc import Iterator

import pytest

from tests.support import servers


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    try:
        with servers.postgres() as url:
            yield url
    except servers.NotInstalled as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    try:
        with servers.redis() as url:
            yield url
    except servers.NotInstalled as missing:
        pytest.skip(str(missing))
