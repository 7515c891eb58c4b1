"""What the page says where it has nothing to show, or where nobody can be served."""

import json

import pytest

from tests.support.builder.trace import TraceBuilder
from tests.support.models import model_of
from tests.support.serving import ask, served
from tests.support.stories.waits import MS
from viewer.server.answers import Answers
from viewer.server.http import HOST, BadQuery, Reply, Site
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace


@pytest.mark.parametrize(
    ("path", "host", "said"),
    [
        ("/", None, "lacks the key"),
        ("/old-key/", None, "lacks the key"),
        ("/secret/", "localhost", "answers only to 127.0.0.1"),
        ("/secret/nothing", None, "nothing at this address"),
    ],
)
def test_refusals_say_what_to_do(path, host, said):
    """Who comes without the key, or by another name, learns where the page is."""
    site = Site({"": lambda _query: Reply("text/plain", b"page")}, "secret")
    with served(site) as server:
        status, headers, body = ask(server, path, host=host)
        assert status in (403, 404)
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert said in body.decode()
        assert f"http://{HOST}:PORT/KEY/" in body.decode()
        assert b"secret" not in body


def test_reasons_for_empty_sections(tmp_path):
    """Each section says why the trace has nothing for it, if recording is the reason."""
    trace = TraceBuilder(signals="threads,locks,gc")
    trace.thread("MainThread").lock_wait(0, "Lock", lock=1, site="/a.py:1 f").end(MS)
    trace.instant(
        trace.tracer,
        0,
        "hook disabled",
        "tracer",
        hook="cpu",
        reason="perf_event_open: EACCES",
    )
    model = model_of(tmp_path, trace)
    report = json.loads(Answers(model).routes["api/report"]({}).body)
    assert report["why_not"]["tasks"] == "the signal tasks was off"
    assert report["why_not"]["cpu"] == "perf_event_open: EACCES"
    assert report["why_not"]["locks"] == ""
    assert any("cpu disabled" in text for text in report["missing"])


def test_slices_that_are_not_there(tmp_path):
    """A link to a slice of another recording is answered in words."""
    trace = TraceBuilder(signals="threads").ended(MS)
    (tmp_path / "x.pftrace").write_bytes(trace.data())
    routes = Answers(build_model(read_trace(tmp_path / "x.pftrace"))).routes
    with pytest.raises(BadQuery, match="this recording has no slice threads:7"):
        routes["api/slice"]({"group": "threads", "row": "7"})
    with pytest.raises(BadQuery, match="no slices called 'thread'"):
        routes["api/slice"]({"group": "thread", "row": "7"})
