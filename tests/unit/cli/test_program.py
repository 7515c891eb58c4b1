"""Console scripts, python's own options, and the launcher's small parts."""

import os
import sys
from pathlib import Path

import pytest

from tracer import launch, program
from tracer.errors import LaunchError, MissingProgramError


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only directory on PATH; this environment has no programs of its own."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "env").mkdir()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "env" / "python3"))
    return tmp_path


def add_tool(path: Path, head: str) -> None:
    path.write_text(head)
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("head", "flags"),
    [
        ("#!{env}/python\n", ()),
        ("#!{env}/python3.13t -sP\n", ("-sP",)),
        ("#!/usr/bin/env python3\n", ()),
        ("#!/usr/bin/env -S python3 -I\n", ("-I",)),
        ("#!/bin/sh\n'''exec' \"{env}/py thon/../python3\" \"$0\" \"$@\"\n' '''\n", ()),
        ("#!/bin/sh\n'''exec' {env}/python3 \"$0\" \"$@\"\n' '''\n", ()),
    ],
)
def test_console_script(tools: Path, head: str, flags: tuple[str, ...]) -> None:
    """A program on PATH runs by its full path, with the options of its first line."""
    add_tool(tools / "tool", head.format(env=tools / "env"))
    (tools / "env" / "py thon").mkdir()
    target = program.resolve(["tool", "a"])
    assert target == program.Target("file", str(tools / "tool"), ("a",), "tool", flags)


def test_own_environment_first(tools: Path) -> None:
    """The environment that tracer is installed in comes before PATH."""
    add_tool(tools / "tool", "#!/usr/bin/env python3\n")
    add_tool(tools / "env" / "tool", "#!/usr/bin/env python3\n")
    assert program.resolve(["tool"]).program == str(tools / "env" / "tool")


def test_file_before_path(
    tools: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file of that name in the working directory is meant, as python means it."""
    add_tool(tools / "tool", "#!/usr/bin/env python3\n")
    monkeypatch.chdir(tmp_path)
    assert program.resolve(["tool"]).program == "tool"


@pytest.mark.parametrize(
    "head", ["\x7fELF", "#!/bin/sh\necho\n", "#!/usr/bin/env node\n", "#!\n", ""]
)
def test_not_python(tools: Path, head: str) -> None:
    """A binary or another language's script is refused."""
    add_tool(tools / "tool", head)
    with pytest.raises(LaunchError, match="not a Python script"):
        program.resolve(["tool"])


def test_other_environment(tools: Path) -> None:
    """A script that was installed for another python is refused, with both ways out."""
    add_tool(tools / "tool", "#!/opt/other/bin/python3\n")
    with pytest.raises(LaunchError, match=r"Install tracer there, or .*: tracer run /.*/tool"):
        program.resolve(["tool"])


def test_not_on_path(tools: Path) -> None:
    """python's exit code for a script that is not there."""
    with pytest.raises(MissingProgramError, match="no program of that name") as caught:
        program.resolve(["tool"])
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("words", "flags"),
    [
        ("tracer run x", []),
        ("-m tracer run -O x", []),
        ("-O -m tracer run x", ["-O"]),
        ("-OOm tracer run x", ["-OO"]),
        (
            "-X dev -Wonce -W error -bb -m tracer",
            ["-X", "dev", "-Wonce", "-W", "error", "-bb"],
        ),
        ("-BX utf8 -mtracer run", ["-BX", "utf8"]),
        (
            "--check-hash-based-pycs never -u -m tracer",
            ["--check-hash-based-pycs", "never", "-u"],
        ),
        ("-i -x -s /bin/tracer run -E", ["-s"]),
        ("-I /bin/tracer run -m x", ["-I"]),
    ],
)
def test_interpreter_flags(words: str, flags: list[str]) -> None:
    """Exactly what was typed for python itself."""
    assert program.interpreter_flags(["python", *words.split()]) == flags


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("a/prog.py", "prog"),
        ("app.pyz", "app"),
        (".", "here"),
        ("/", "program"),
        ("a.b.py", "a.b"),
    ],
)
def test_stem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, stem: str) -> None:
    """The trace is named after the program, wherever that is."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    if not os.path.isdir(path):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).touch()
    assert program.resolve([path]).stem == stem


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("", ""),
        ("a\nb", "a\nb"),
        ("  a\n    b\n  c", "a\n  b\nc"),
        ("\n  a\n\n   \n  b\n", "\na\n\n\nb\n"),
        ("\ta\n  b", "\ta\n  b"),
        ("\t a\n\t b", "a\nb"),
    ],
)
def test_dedented(monkeypatch: pytest.MonkeyPatch, code: str, expected: str) -> None:
    """The rule of python 3.14 for -c, which is textwrap.dedent's."""
    monkeypatch.setattr(sys, "version_info", (3, 14))
    assert launch.dedented(code) == expected
