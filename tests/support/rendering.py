"""Everything the viewer makes of a trace, as text."""

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tracer import cli

_COMMANDS = [
    *(["report", *words] for words in ([], ["--section", "all"], ["--json"])),
    *(["why", *words] for words in ([], ["--json"])),
    *(["pprof", "--type", kind, "--top"] for kind in ("cpu", "mutex", "block", "io")),
    *(
        ["export", "-o", "-", "--format", what]
        for what in ("chrome", "csv", "speedscope", "html")
    ),
]
_PROFILES = ["cpu", "block"]


def every_output(trace: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """By the command's words, what it prints; by a profile's type, its bytes as Latin-1."""
    made = {}
    for command, *words in _COMMANDS:
        code = cli.main([command, str(trace), *words])
        out, err = capsys.readouterr()
        assert (code, err) == (0, ""), f"{command} {words} exits {code}: {err}"
        made[" ".join([command, *words])] = out
    for kind in _PROFILES:
        path = trace.with_name(f"{kind}.pprof")
        assert cli.main(["pprof", str(trace), "--type", kind, "-o", str(path)]) == 0
        made[kind] = gzip.decompress(path.read_bytes()).decode("latin-1")
    capsys.readouterr()
    return made


def check_no_control(made: dict[str, str]) -> None:
    """None of it has a character that would break a line or a terminal."""
    for name, text in made.items():
        assert "\x1b[" not in text, f"{name} has an escape sequence"
        if name in _PROFILES or "csv" in name or "html" in name:
            continue  # binary; lines that end in \\r\\n; code of the page
        for inside in _strings(json.loads(text) if text.startswith("{") else text):
            assert not _BAD.search(inside), f"{name}: {inside!r}"


_BAD = re.compile("[\0-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e]")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    if isinstance(value, dict):
        value = [*value, *value.values()]
    for each in value if isinstance(value, list) else ():
        yield from _strings(each)
