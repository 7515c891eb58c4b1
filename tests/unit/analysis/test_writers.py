"""Calls that waited until another process wrote: who wrote, where, for how long."""

import json
from pathlib import Path

from tests.support.explaining import parent
from tests.support.stories.waits import MS
from viewer.analysis.causes.writers import Writer
from viewer.analysis.io import io_rows
from viewer.analysis.report import build_report
from viewer.analysis.tasks import By
from viewer.render.json.report import render_json
from viewer.render.text.overview import overview
from viewer.render.text.report import render_text
from viewer.render.text.tables import Style
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

READ = "/app/service.py:30 main"


def write(folder: Path) -> Path:
    """A parent reads what two children write, twice what the first does."""
    family, main = parent()
    children = [family.fork(main, n * MS, 100 + n, name=f"worker {n}") for n in (1, 2)]
    one, two = [family.main(child).running(5 * MS).end(250 * MS) for child in children]
    for start, end in ((10, 60), (70, 100), (110, 200)):
        main.io(start * MS, "os.read", site=READ).running(end * MS)
    main.io(210 * MS, "os.read", site="/app/service.py:31 main").running(230 * MS)
    main.end(250 * MS)
    family.message(one, 59 * MS, main, 10 * MS, 61 * MS, site="/app/w.py:5 work")
    family.message(two, 99 * MS, main, 70 * MS, 101 * MS, site="/app/w.py:7 end")
    family.message(one, 199 * MS, main, 110 * MS, 201 * MS, site="/app/w.py:5 work")
    family.first.ended(251 * MS)
    for child in children:
        child.ended(251 * MS)
    return family.write(folder)


def test_who_wrote(tmp_path: Path) -> None:
    rows = io_rows(build_model(read_trace(write(tmp_path))))
    assert [row.writers for row in rows] == [
        (
            Writer(1, "MainThread", "/app/w.py:5 work", 2, 138 * MS),
            Writer(2, "MainThread", "/app/w.py:7 end", 1, 29 * MS),
        ),
        (),
    ]
    assert rows.values("writers_ns") == [167 * MS, 0]


def test_it_is_said(tmp_path: Path) -> None:
    report = build_report(build_model(read_trace(write(tmp_path))), By.CORO)
    text = overview(report, Style(200))
    said = "waited 167 ms for `MainThread [worker 1]` and 1 other thread to write."
    assert said in text
    assert said in render_text(report, ("io",), 10, Style(200))
    (first, second) = json.loads(render_json(report, ("io",)))["io"]
    assert first["writers"][0] == {
        "process": 1,
        "who": "MainThread",
        "site": "/app/w.py:5 work",
        "count": 2,
        "ns": 138 * MS,
    }
    assert second["writers"] == []
