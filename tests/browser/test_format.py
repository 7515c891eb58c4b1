"""The page writes numbers exactly as the text report does."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip(
    "playwright",
    reason="needs playwright: python3 -m uv run --all-groups pytest tests/browser",
)

from tests.browser.page import open_page
from tests.browser.perfetto_ui import NEEDS_CHROMIUM
from tests.support.numbers import CASES
from tests.support.stories.waits import blocked_loop
from tracer import units

FORMATTED = """async (cases) => {
  const format = await import("./format.js");
  return cases.map(([name, values]) => format[name](...values));
}"""

pytestmark = NEEDS_CHROMIUM


def test_numbers(tmp_path: Path) -> None:
    """The cases of tests/unit/test_units.py, and thousands of numbers of every magnitude."""
    chance = random.Random(1)

    def some(count: int) -> list[int]:
        return [int(10 ** chance.uniform(0, 13)) for _ in range(count)]

    cases: list[tuple[str, list[object]]] = [(name, [*args]) for name, args, _ in CASES]
    for name in ("duration", "size"):
        cases += [(name, [value]) for value in some(500)]
    for name in ("share", "moment"):
        cases += [(name, [*some(2)]) for _ in range(500)]
    for name in ("durations", "moments"):
        cases += [(name, [some(4)]) for _ in range(500)]
    path = tmp_path / "x.pftrace"
    path.write_bytes(blocked_loop().data())
    with open_page(path) as opened:
        opened.go("")
        formatted = opened.page.evaluate(FORMATTED, cases)
    assert formatted == [getattr(units, name)(*values) for name, values in cases]
