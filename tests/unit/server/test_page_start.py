"""The page is there before the trace is read, and asks for little before it paints."""

import gzip
import json
import re
import threading

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of, trace_file
from tests.support.serving import ask, served
from tests.support.stories.waits import every_trace, gil_hog
from viewer.server.answers import Answers
from viewer.server.http import BadQuery
from viewer.server.later import Later
from viewer.server.site import QUESTIONS, make_site, static_files
from viewer.trace.model import build_model
from viewer.trace.reader import begins_as_trace, read_trace


def test_page_is_there_before_the_trace(tmp_path):
    """It names all it will ask for, and is answered while the trace is still read."""
    path = trace_file(tmp_path, gil_hog())
    model = build_model(read_trace(path))
    is_read = threading.Event()

    def read():
        is_read.wait()
        return Answers(model)

    with served(make_site(path, Later(read).get, None)) as running:
        base = f"/{running.site.token}/"
        page = ask(running, base)[2].decode()
        hinted = set(re.findall(r'rel="(?:modulepreload|preload)".*? href="(.*?)"', page))
        modules = {name for name in static_files() if name.endswith(".js")}
        assert {name for name in hinted if name.endswith(".js")} == modules - {"open.js"}
        assert hinted <= set(running.site.routes)
        assert ask(running, f"{base}main.js")[0] == 200
        is_read.set()
        assert json.loads(ask(running, f"{base}api/meta")[2])["name"] == "x.pftrace"


def test_questions_are_answered(tmp_path):
    """The site knows what Answers will answer, before there are any."""
    model = model_of(tmp_path, gil_hog())
    assert set(Answers(model).routes) == set(QUESTIONS)


def test_findings_by_themselves(tmp_path):
    """The report does not wait for them."""
    model = model_of(tmp_path, gil_hog())
    routes = Answers(model).routes
    assert "findings" not in json.loads(routes["api/report"]({}).body)
    found = json.loads(routes["api/findings"]({}).body)["findings"]
    assert [one["finding"] for one in found] == ["GIL hog"]


@pytest.mark.parametrize(("name", "data"), every_trace())
def test_worst_waits_are_slices(tmp_path, name, data):
    """What `tracer why` shows first can be selected, and is explained as that wait."""
    path = tmp_path / "x.pftrace"
    path.write_bytes(data)
    routes = Answers(build_model(read_trace(path))).routes
    for wait in json.loads(routes["api/why"]({}).body):
        query = {"group": wait["group"], "row": str(wait["row"])}
        told = json.loads(routes["api/slice"](query).body)
        assert (told["start_ns"], told["ns"]) == (wait["start_ns"], wait["ns"])
        assert told["why"]["waiter"]["name"] == wait["who"]


def test_later_raises_where_it_is_asked():
    """A thread's error is its user's, each time."""

    def fail():
        raise BadQuery("no")

    made = Later(fail)
    for _ in range(2):
        with pytest.raises(BadQuery, match="no"):
            made.get()
    assert Later(lambda: 3).get() == 3


@pytest.mark.invalid_traces
def test_what_begins_as_trace(tmp_path):
    """Ours does, however it ends; nothing else does, and it is not asked to be readable."""
    path = trace_file(tmp_path, gil_hog())
    assert begins_as_trace(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    assert begins_as_trace(path)
    for other in (b"", b"no trace", gzip.compress(data), TraceBuilder(recording=False).data()):
        path.write_bytes(other)
        assert not begins_as_trace(path)
    assert not begins_as_trace(tmp_path)
