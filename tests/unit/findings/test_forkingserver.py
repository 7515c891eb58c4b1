"""Servers with a process for each connection."""

import pytest

from tests.support.builder.family import Family
from tests.support.finding import MS, SIGNALS, find_in, kinds
from tracer import schema as s

LIB = "/usr/lib/python3.13"
COLLECTS = (
    f"{LIB}/socketserver.py:574 ForkingMixIn.collect_children\n"
    f"{LIB}/socketserver.py:608 ForkingMixIn.service_actions\n"
    f"{LIB}/socketserver.py:242 BaseServer.serve_forever"
)
CONVERT, ASK = "/app/web.py:16 convert", "/app/web.py:27 ask"


def served(each_ns=400 * MS, rounds=3, stack=COLLECTS, next_ns=MS, late=False):
    """Two children at a time, each for `each_ns`; two more follow when these have ended.
    `late`: connections from outside waited meanwhile."""
    family = Family("web.py", pid=100, signals=SIGNALS)
    first = family.first
    first.thread("MainThread", 100).native(0)
    server, client = first.thread("server").native(0), first.thread("client").native(0)
    client.io(MS, "socket.recv", site=ASK, own_peer=True)
    at, pid = MS, 101
    for _ in range(rounds):
        for _ in range(2):
            child = family.fork(server, at, pid)
            family.main(child).sleep(at, site=CONVERT).native(at + each_ns).end(at + each_ns)
            child.ended(at + each_ns)
            pid += 1
            at += 1
        server.io(at, "os.waitpid", site=stack.split("\n")[0], stack=stack)
        at += each_ns
        server.native(at)
        if late:
            first.instant(
                server.track, at, s.ACCEPTED_LATE, s.CAT_THREAD,
                since_ns=first.start_ns + at - each_ns, port=8000,
            )  # fmt: skip
        at += next_ns
    client.native(at).end(at)
    server.end(at)
    return family, first.ended(at + MS)


def test_it_waits_for_a_child_before_it_accepts(tmp_path):
    (found,) = find_in(tmp_path, served()[0])
    assert (found.finding, found.severity_ns) == ("pool exhausted", 800 * MS)
    assert found.text == (
        "In `web.py`: Pool exhausted: `server` has 2 children, as many as it may have, and "
        "waits for the end of one before it takes the next connection: 2 waits, 800 ms in "
        "total, the longest 400 ms (at 1.00 ms). Its children spent 100 % of that time asleep "
        "in `convert` (web.py:16). `client` in `ask` (web.py:27) waited for an answer "
        "meanwhile, up to 1.20 s. Raise `max_children`, or do what is slow elsewhere."
    )


def test_connections_that_wait_meanwhile_are_not_told_again(tmp_path):
    (found,) = find_in(tmp_path, served(rounds=5, late=True)[0])
    assert "`server` has 2 children, as many as it may have" in found.text


@pytest.mark.parametrize(
    "story",
    [
        pytest.param({"each_ns": 200 * MS}, id="little is lost"),
        pytest.param({"next_ns": 200 * MS}, id="nobody else wants to be served"),
        pytest.param({"stack": "/app/web.py:9 reap"}, id="another wait for children"),
    ],
)
def test_children_that_are_waited_for(tmp_path, story):
    assert kinds(tmp_path, served(**story)[0]) == []
