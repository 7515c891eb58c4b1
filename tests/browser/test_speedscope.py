"""speedscope opens what `tracer export` and `tracer pprof` write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from playwright.sync_api import Page

from tests.browser.perfetto_ui import NEEDS_CHROMIUM
from tests.browser.speedscope import PACKAGE, open_in_speedscope
from tests.support.stories.waits import blocked_loop, profiled
from viewer.commands.profiles import export, write_profile

pytestmark = [
    *NEEDS_CHROMIUM,
    pytest.mark.skipif(
        not PACKAGE.exists(), reason="needs speedscope from npm: .ci/run fetches it"
    ),
]


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    path = tmp_path / "x.pftrace"
    path.write_bytes(profiled().data())
    return path


def sandwich(page: Page) -> dict[str, str]:
    """Function -> own time, as the table of the Sandwich view shows them."""
    page.get_by_text("Sandwich").click()
    rows = page.locator("table:visible tr:has(td)")
    rows.first.wait_for()
    cells = [row.locator("td") for row in rows.all()]
    return {
        row.nth(2).inner_text().removesuffix("[]").strip(): row.nth(1)
        .inner_text()
        .split("(")[0]
        .strip()
        for row in cells
        if row.count() == 3
    }


def test_own_format(trace: Path) -> None:
    """There is one view per thread, with our names and numbers."""
    path = Path(export(trace, "speedscope", "cpu", None, force=False))
    with open_in_speedscope(path) as (page, errors):
        page.get_by_text("worker").first.wait_for()
        found = sandwich(page)
        assert found["prog.work"] == "680.00ms"
        assert found["threading.Thread.run"] == "0.00ns"
        assert "(1/2)" in page.inner_text("body")
        assert errors == []


def test_own_format_obeys_its_schema(trace: Path) -> None:
    """Every key is in speedscope's published schema."""
    schema = json.loads((PACKAGE / "dist" / "release" / "file-format-schema.json").read_text())
    file = json.loads(Path(export(trace, "speedscope", "cpu", None, force=False)).read_text())
    kinds = schema["definitions"]
    known = {
        "File": file,
        "SampledProfile": file["profiles"][0],
        "Frame": file["shared"]["frames"][0],
    }
    for kind, value in known.items():
        definition = next(d for n, d in kinds.items() if n.split(".")[-1] == kind)
        assert value.keys() <= definition["properties"].keys()
        assert set(definition["required"]) <= value.keys()


def test_pprof(trace: Path) -> None:
    """It takes the profile's last type, which is time."""
    path = Path(write_profile(trace, "cpu", None, force=False))
    with open_in_speedscope(path) as (page, errors):
        page.get_by_text("Sandwich").wait_for()
        assert sandwich(page)["prog.work"] == "680.00ms"
        assert errors == []


def test_chrome(tmp_path: Path) -> None:
    """Slices of a trace appear as nested calls."""
    trace = tmp_path / "x.pftrace"
    trace.write_bytes(blocked_loop().data())
    path = Path(export(trace, "chrome", "cpu", None, force=False))
    with open_in_speedscope(path) as (page, errors):
        page.get_by_text("Sandwich").wait_for()
        assert errors == []
        assert sandwich(page)
