"""The wheel has every package: a new folder must be in pyproject.toml."""

import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def test_every_package_is_listed() -> None:
    """Whoever works here has an editable install, which would not notice."""
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    listed = settings["tool"]["setuptools"]["packages"]
    there = sorted(
        ".".join(path.parent.relative_to(PROJECT).parts)
        for room in ("tracer", "viewer")
        for path in (PROJECT / room).rglob("__init__.py")
    )
    assert sorted(listed) == there
