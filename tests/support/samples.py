"""The samples, each recorded once for all tests that look at the same recording of it."""

from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import SAMPLES, Recorder, check_traces


class Recorded(NamedTuple):
    trace: Path
    stdout: str  # what the sample printed


class Samples:
    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders, self._made = folders, dict[tuple[str, ...], Recorded]()

    def __call__(self, *words: str) -> Recorded:
        """The recording of the sample of this name, with these arguments."""
        if words not in self._made:
            record = Recorder(self._folders.mktemp("sample"))
            name, *arguments = words
            trace = record(SAMPLES / name, *arguments)
            check_traces(record.directory)
            self._made[words] = Recorded(trace, record.stdout)
        return self._made[words]
