"""Jobs of pools of threads that libraries have: an arrow from each submit to its run."""

import pytest

from tests.conftest import Recorder
from viewer.analysis.findings import Facts
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

TWISTED = """
import threading
from twisted.internet import defer, reactor
from twisted.internet.threads import deferToThread

@defer.inlineCallbacks
def main():
    both = threading.Barrier(2)
    yield defer.gatherResults([deferToThread(both.wait) for n in range(6)])
    reactor.stop()

reactor.suggestThreadPoolSize(2)
reactor.callWhenRunning(main)
reactor.run()
"""
WAITRESS = """
import http.client, threading
from waitress.server import create_server

def app(environ, start_response):
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]

server = create_server(app, host="127.0.0.1", port=0, threads=2)
threading.Thread(target=server.run, daemon=True).start()
connection = http.client.HTTPConnection("127.0.0.1", server.effective_port)
for n in range(6):
    connection.request("GET", "/")
    connection.getresponse().read()
"""
GEVENT = """
import threading
from gevent.threadpool import ThreadPool

both = threading.Barrier(2)

def work(n):
    both.wait()

ThreadPool(2).map(work, range(6))
"""


@pytest.mark.parametrize(
    ("program", "package", "pool"),
    [
        pytest.param(TWISTED, "twisted", "PoolThread-twisted.internet.reactor", id="twisted"),
        pytest.param(GEVENT, "gevent", "thread N", id="gevent"),
        pytest.param(WAITRESS, "waitress", "waitress", id="waitress"),
    ],
)
def test_every_job_knows_who_submitted_it(
    record: Recorder, program: str, package: str, pool: str
) -> None:
    pytest.importorskip(package)
    jobs = Facts(build_model(read_trace(record(program)))).jobs
    assert [one.name for one in jobs.pools] == [pool]
    assert len(jobs.all) == 6
    assert not jobs.never_begun
    assert len({job.submitter for job in jobs.all}) == 1
    assert all(job.submitter is not None for job in jobs.all)
    assert all(job.submitted_ns <= job.began_ns <= job.ended_ns for job in jobs.all)
