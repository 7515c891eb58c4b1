"""Random programs give the same result traced, and their traces agree with them."""

from pathlib import Path

import pytest

from tests.random_programs.run import run_seed

FEW, MANY = range(3), range(100)


def seed_is_clean(seed: int, directory: Path) -> None:
    outcome = run_seed(seed, directory)
    assert not outcome.wrong, "\n".join(
        [*map(str, outcome.wrong), f"python -m tests.random_programs --seeds {seed}"]
    )
    assert outcome.facts


@pytest.mark.parametrize("seed", FEW)
def test_few(seed: int, tmp_path: Path) -> None:
    seed_is_clean(seed, tmp_path)


@pytest.mark.random
@pytest.mark.parametrize("seed", MANY)
def test_many(seed: int, tmp_path: Path) -> None:
    seed_is_clean(seed, tmp_path)
