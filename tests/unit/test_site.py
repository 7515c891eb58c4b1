"""What Python runs as it starts in a child: how it finds the recorder's modules."""

import sys
from importlib.util import MAGIC_NUMBER, module_from_spec
from pathlib import Path
from py_compile import PycInvalidationMode, compile
from types import CodeType
from typing import Any

import pytest

import tracer

SITE = Path(tracer.__file__).parent / "site" / "sitecustomize.py"


@pytest.fixture
def finder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One for a package of two modules; sitecustomize itself is not run."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)  # else a module's time is no matter
    monkeypatch.setattr(sys, "pycache_prefix", None)
    (tmp_path / "inner").mkdir()
    for name in ("one.py", "inner/__init__.py", "inner/two.py"):
        (tmp_path / name).write_text(f"name = {name!r}\n")
        compile(str(tmp_path / name), optimize=sys.flags.optimize)
    text, main, _ = SITE.read_text().partition("\nprepare()\n")
    assert main
    names: dict[str, Any] = {}
    exec(text, names)
    return names["Finder"](str(tmp_path), str(tmp_path / "kept"))


def loaded(finder: Any, name: str) -> dict[str, Any]:
    spec = finder.find_spec(name)
    assert spec.loader is finder
    module = module_from_spec(spec)
    finder.exec_module(module)
    return vars(module)


def test_modules_and_packages(finder: Any, tmp_path: Path) -> None:
    one, inner = loaded(finder, "tracer.one"), loaded(finder, "tracer.inner")
    two = loaded(finder, "tracer.inner.two")
    names = [one["name"], inner["name"], two["name"]]
    assert names == ["one.py", "inner/__init__.py", "inner/two.py"]
    assert two["__file__"] == str(tmp_path / "inner" / "two.py")
    assert inner["__path__"] == [str(tmp_path / "inner")]
    assert "__path__" not in one
    code = finder.read(str(tmp_path / "one.py"))
    assert isinstance(code, CodeType)
    assert code.co_filename == str(tmp_path / "one.py")


def test_what_is_pythons_own_to_find(finder: Any, tmp_path: Path) -> None:
    """Other packages, and modules that cannot be read whole."""
    assert finder.find_spec("one") is None
    assert finder.find_spec("tracer.three") is None
    (tmp_path / "large.py").write_text("#" * (1 << 16))
    (tmp_path / "empty.py").write_text("")
    assert finder.find_spec("tracer.large") is None
    assert finder.find_spec("tracer.empty") is None


def test_modules_without_their_compiled_file(finder: Any, tmp_path: Path) -> None:
    """Those that were changed, or compiled in another way, or never."""
    (tmp_path / "kept").mkdir()
    one, two = tmp_path / "one.py", tmp_path / "inner" / "two.py"
    finder.keep()
    assert not [*(tmp_path / "kept").iterdir()], "there is nothing to keep"
    one.write_text("name = 'longer than before'\n")
    assert loaded(finder, "tracer.one")["name"] == "longer than before"
    compile(str(two), invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    assert loaded(finder, "tracer.inner.two")["name"] == "inner/two.py"
    finder.keep()
    assert len([*(tmp_path / "kept").iterdir()]) == 1
    other = type(finder)(str(tmp_path), str(tmp_path / "kept"))
    assert loaded(other, "tracer.one")["name"] == "longer than before"
    assert loaded(other, "tracer.inner.two")["name"] == "inner/two.py"
    assert not other.has_more
    one.write_text("name = 'changed'\n")
    other = type(finder)(str(tmp_path), str(tmp_path / "kept"))
    assert loaded(other, "tracer.one")["name"] == "changed"
    assert other.has_more


def test_kept_modules_that_others_may_write(finder: Any, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "one.py").write_text("name = 'longer than before'\n")
    assert finder.find_spec("tracer.one") is not None
    finder.keep()
    (kept,) = (tmp_path / "kept").iterdir()
    assert finder.load_kept()
    kept.chmod(0o660)
    assert finder.load_kept() == {}


def test_kept_modules_of_another_pre_release(finder: Any, tmp_path: Path) -> None:
    """It has the same name for its compiled files, but other instructions: they may crash."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "one.py").write_text("name = 'longer than before'\n")
    assert finder.find_spec("tracer.one") is not None
    finder.keep()
    (kept,) = (tmp_path / "kept").iterdir()
    own = kept.read_bytes()
    assert own.startswith(MAGIC_NUMBER)
    kept.write_bytes(b"\0" * len(MAGIC_NUMBER) + own[len(MAGIC_NUMBER) :])
    assert finder.load_kept() == {}


def test_kept_modules_behind_a_link(finder: Any, tmp_path: Path) -> None:
    """Whoever may write the folder could lead us to any file of ours."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "one.py").write_text("name = 'longer than before'\n")
    assert finder.find_spec("tracer.one") is not None
    finder.keep()
    (kept,) = (tmp_path / "kept").iterdir()
    kept.rename(tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")
    assert finder.load_kept() == {}
