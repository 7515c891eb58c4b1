"""Every way to name a program gives what plain python gives: output, errors, exit code."""

import io
import py_compile
import zipfile
from pathlib import Path

import pytest

from tests.support.launching import Case, compare, script

SHOW = """\
import sys
print(__name__, __file__, sys.argv, sys.path[0], __spec__ and __spec__.name)
print(sorted(globals()), type(__loader__), __package__, __cached__)
"""
SHOW_COMMAND = "import sys; print(sys.argv, sys.path[0], sorted(globals()))"
NESTED_ERROR = """\
def outer():
    def inner():
        return 1 / 0
    return inner()

outer()
"""
UNIT_TEST = """\
import unittest

class Sums(unittest.TestCase):
    def test_right(self):
        self.assertEqual(1 + 1, 2)

    def test_wrong(self):
        self.assertEqual(1 + 1, 3)

if __name__ == "__main__":
    unittest.main(argv=["prog"], verbosity=0, exit=False)
"""


def archive(**members: str) -> bytes:
    """A zip file of modules."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as out:
        for name, text in members.items():
            out.writestr(f"{name}.py", text)
    return memory.getvalue()


CASES = [
    script("script", SHOW, "one", "--two", "-o", "three four", "", "ü"),
    script("options like ours", SHOW, "--force", "-m", "-c", "--help", "--"),
    Case("dot slash", ("./prog.py",), {"prog.py": SHOW}),
    Case("up and down", ("../work/./prog.py", "a"), {"prog.py": SHOW}),
    Case(
        "in a directory",
        ("sub/prog.py",),
        {"sub/prog.py": "import near\n", "sub/near.py": SHOW},
    ),
    Case("symbolic link", ("ln.py",), {"ln.py@": "sub/prog.py", "sub/prog.py": SHOW}),
    Case(
        "link to link", ("a/ln",), {"a/ln@": "../b/ln", "b/ln@": "prog.py", "b/prog.py": SHOW}
    ),
    Case("no suffix", ("prog",), {"prog": SHOW}),
    Case("odd name", ("a b\n'ü.py",), {"a b\n'ü.py": SHOW + "1/0"}),
    Case(
        "directory",
        ("app", "x"),
        {"app/__main__.py": "import near\n" + SHOW, "app/near.py": ""},
    ),
    Case("directory, slash", ("app/",), {"app/__main__.py": SHOW}),
    Case("this directory", (".",), {"__main__.py": SHOW}),
    Case("directory without main", ("app",), {"app/near.py": ""}),
    Case("archive", ("app.pyz", "x"), {"app.pyz": archive(__main__=SHOW)}),
    Case("archive, error", ("app.pyz",), {"app.pyz": archive(__main__=NESTED_ERROR)}),
    Case("archive without main", ("app.pyz",), {"app.pyz": archive(near="")}),
    Case("from stdin's file", ("/dev/stdin", "x"), stdin=SHOW),
    script("byte order mark", b"\xef\xbb\xbf" + SHOW.encode()),
    script("latin-1 cookie", b"# coding: latin-1\nprint(ascii('\xe4'))\n1/0 # \xe4\n"),
    script("wrong encoding", b"print('\xe4')\n"),
    script("unknown encoding", b"# coding: nonsense\n"),
    script("null byte", b"print(1)\0\n"),
    script("syntax error", "print(1)\nif True\n    pass\n"),
    script("indentation error", "def f():\npass\n"),
    script(
        "future",
        "from __future__ import annotations\ndef f(x: y): pass\nprint(f.__annotations__)",
    ),
    script("no future leaks in", "x: undefined = 1\n"),
    script("syntax warning", "print(1 is 1)\n"),
    script("empty", ""),
    script("error", NESTED_ERROR),
    script("safe path", SHOW, flags=("-P",)),
    script("isolated", SHOW, flags=("-I",)),
    Case("-c", ("-c", SHOW_COMMAND, "a", "-m", "-c")),
    Case("-c attached", ("-c" + SHOW_COMMAND, "a")),
    Case("-c, safe path", ("-c", SHOW_COMMAND), flags=("-P",)),
    Case("-c error", ("-c", "import sys\n1/0")),
    Case("-c nested error", ("-c", NESTED_ERROR)),
    Case("-c syntax error", ("-c", "if:")),
    Case("-c cookie is ignored", ("-c", "# coding: latin-1\nprint(ascii('ä'))")),
    Case("-c undecodable", ("-c", "print('\udcff')")),
    Case("-c indented", ("-c", "  print(1)\n  print(2)")),
    Case("-c empty", ("-c", "")),
    Case("-m module", ("-m", "prog", "a", "-o", "b"), {"prog.py": SHOW}),
    Case("-m attached", ("-mprog", "a"), {"prog.py": SHOW}),
    Case("-m package", ("-m", "pkg", "a"), {"pkg/__init__.py": SHOW, "pkg/__main__.py": SHOW}),
    Case(
        "-m submodule",
        ("-m", "pkg.sub"),
        {"pkg/__init__.py": SHOW_COMMAND, "pkg/sub.py": SHOW},
    ),
    Case("-m missing", ("-m", "absent_module")),
    Case("-m no main", ("-m", "pkg"), {"pkg/__init__.py": ""}),
    Case("-m broken parent", ("-m", "pkg.sub"), {"pkg/__init__.py": "1/0", "pkg/sub.py": ""}),
    Case("-m error", ("-m", "prog"), {"prog.py": NESTED_ERROR}),
    Case("-m syntax error", ("-m", "prog"), {"prog.py": "if:"}),
    Case("-m safe path", ("-m", "prog"), {"prog.py": SHOW}, flags=("-P",)),
    Case("-m unittest -h", ("-m", "unittest", "-h")),
    Case("-m http.server", ("-m", "http.server", "--help")),
    Case("-m timeit", ("-m", "timeit", "--help")),
    Case("-m json.tool", ("-m", "json.tool"), stdin='{"a": [1, 2]}'),
    Case("-m pytest", ("-m", "pytest", "--version")),
    Case("-m test", ("-m", "test", "--list-cases", "test_colorsys"), flags=("-W", "ignore")),
    Case("-m py_compile", ("-m", "py_compile", "prog.py"), {"prog.py": "if:"}),
]


@pytest.mark.default(
    "script",
    "options like ours",
    "in a directory",
    "symbolic link",
    "directory",
    "archive",
    "from stdin's file",
    "latin-1 cookie",
    "syntax error",
    "no future leaks in",
    "error",
    "safe path",
    "isolated",
    "-c",
    "-c nested error",
    "-c undecodable",
    "-m module",
    "-m package",
    "-m missing",
    "-m error",
    "-m unittest -h",
    "-m pytest",
)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_like_python(case: Case, tmp_path: Path) -> None:
    """Same stdout, stderr and status as plain python."""
    plain, traced = compare(case, tmp_path)
    assert traced == plain


def test_compiled_file(tmp_path: Path) -> None:
    """A .pyc file runs as with plain python."""
    source = tmp_path / "prog.py"
    source.write_text(SHOW + NESTED_ERROR)
    compiled = py_compile.compile(str(source), cfile=str(tmp_path / "prog.pyc"))
    assert compiled is not None
    case = Case("pyc", ("prog.pyc", "a"), {"prog.pyc": Path(compiled).read_bytes()})
    plain, traced = compare(case, tmp_path)
    assert traced == plain


def test_unit_tests(tmp_path: Path) -> None:
    """A failing unittest module gives the same report, but for the time it took."""
    case = Case("unittest", ("-m", "unittest", "-q", "prog"), {"prog.py": UNIT_TEST})
    plain, traced = compare(case, tmp_path)
    assert traced.status == plain.status
    assert traced.stdout == plain.stdout
    without_time = [line for line in plain.stderr.splitlines() if not line.startswith("Ran ")]
    assert [x for x in traced.stderr.splitlines() if not x.startswith("Ran ")] == without_time
