"""The first finding names the fault: programs after public reports, and healthy ones."""

import pytest

from tests.diagnosis.board import judge, missing, names, record, wanted
from tests.support.servers import NotInstalled

pytestmark = pytest.mark.diagnosis


@pytest.mark.parametrize("name", names())
def test_the_first_finding_names_the_fault(name: str, tmp_path) -> None:
    if needed := missing(name):
        pytest.skip(f"needs {needed}: pip install {needed}")
    trace = tmp_path / "case.pftrace"
    try:
        record(name, trace)
    except NotInstalled as error:
        pytest.skip(str(error))
    verdict = judge(name, trace)
    if verdict.place != 0 and wanted(name).missed:
        pytest.xfail(wanted(name).missed)
    assert verdict.place == 0, verdict.found
