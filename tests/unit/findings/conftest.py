"""What each test of findings gets: finders that a trace is not given to would find nothing."""

from collections.abc import Iterator

import pytest

from viewer.analysis import findings
from viewer.analysis.findings import Facts, Finder


@pytest.fixture(autouse=True)
def no_finder_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each finder in `FINDERS` names what the trace must have; here the others look, too."""
    fitting = findings.fitting

    def checked(facts: Facts) -> Iterator[Finder]:
        chosen: list[Finder] = []
        for finder in fitting(facts):
            chosen.append(finder)
            yield finder
        for finder in findings.FINDERS:
            if finder not in chosen:
                assert [*finder.load()(facts)] == [], finder

    monkeypatch.setattr(findings, "fitting", checked)
