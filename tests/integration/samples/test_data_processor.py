"""The profiles of a real program lead to its faults: the lock around everything, the string
building, the sort."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import SAMPLES, Recorder
from viewer.analysis.profiles.profile import Profile
from viewer.commands.profiles import profile_of

PROGRAM = SAMPLES / "data_processor.py"
LINES = PROGRAM.read_text().splitlines()
TAKES_THE_LOCK = "with processing:"
SORT = "ordered = sorted(seen, key=lambda item: (item[0][::-1], item[1]))"
BUILDING = (
    "key = key + str((record * 7919 + n) % 10)",
    'key = key[:1] + key[1:]  # "normalised" at every step: copies it all',
)


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = Recorder(tmp_path_factory.mktemp("data_processor"))
    return record(PROGRAM, options=("--cpu-hz", "1000"))


def by_line(profile: Profile) -> Counter[str]:
    """Values by the text of the innermost line that belongs to the program."""
    found: Counter[str] = Counter()
    for sample in profile.samples:
        own = [place for place in sample.frames if place.path == str(PROGRAM)]
        found[LINES[own[0].line - 1].strip() if own else ""] += sample.values[-1]
    return found


def test_mutex_points_at_the_line_that_takes_the_lock(trace: Path) -> None:
    """Most delay is caused there, by code that the thread's function called."""
    profile = profile_of(trace, "mutex")
    assert by_line(profile).most_common(1)[0][0] == TAKES_THE_LOCK
    held = [
        [place.function for place in sample.frames]
        for sample in profile.samples
        if sample.frames[0].function == "data_processor.process"
    ]
    assert ["data_processor.process", "data_processor.work"] in [names[:2] for names in held]


def test_block_points_at_the_lines_that_wait(trace: Path) -> None:
    """They appear with their callers, out to the thread's function."""
    profile = profile_of(trace, "block")
    assert by_line(profile).most_common(1)[0][0] == TAKES_THE_LOCK
    waits = [
        [place.function for place in sample.frames]
        for sample in profile.samples
        if sample.frames[0].function == "data_processor.process"
    ]
    for names in waits:
        assert names[1] == "data_processor.work"
        assert names[-1] == "threading.Thread._bootstrap"


def test_cpu_points_at_the_sort_and_the_string_building(trace: Path) -> None:
    """No line has as much as the sort. How much the rest has is chance: a kernel that looks at
    its timers every 4 ms takes some 200 samples here."""
    lines = by_line(profile_of(trace, "cpu"))
    sort = lines.pop(SORT)
    assert sort > max(lines.values())
    assert sum(lines[line] for line in BUILDING) > 0
