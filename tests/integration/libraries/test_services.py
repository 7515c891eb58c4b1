"""Real services under load: they answer as untraced, and what blocks leads the report."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.servers import free_port
from viewer.trace.model import build_model
from viewer.trace.reader import read_trace

pytestmark = pytest.mark.broad

PROGRAMS = Path(__file__).parents[2] / "support" / "programs" / "services"
CLIENTS, REQUESTS = 4, 12
WAIT_S = 120
# Each program's packages, its paths, and the endpoint that gives its requests' tasks their
# name, though they begin in the library.
SERVICES = {
    "aiohttp_service": ("aiohttp uvloop", "/quick /asking /quick /blocking", "asking"),
    "fastapi_service": ("fastapi uvloop", "/quick /sync /quick /blocking", "in_a_thread"),
    "hypercorn_service": ("hypercorn trio", "/quick /sync /quick /blocking", "in_a_thread"),
}

type Given = Counter[tuple[str, int, bytes]]  # path, status and body of each answer


class Served(NamedTuple):
    """What the clients got, and how the service ended."""

    given: Given
    code: int
    errors: str


def ask(port: int, client: int, paths: list[str], given: Given) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    for n in range(client * REQUESTS, (client + 1) * REQUESTS):
        path = f"{paths[n % len(paths)]}?n={n}"
        connection.request("GET", path)
        answer = connection.getresponse()
        given[path, answer.status, answer.read()] += 1
    connection.close()


def serve(command: list[str], paths: list[str]) -> Served:
    """Runs the service under load until every client has its answers, then stops it."""
    port, given = free_port(), Counter[tuple[str, int, bytes]]()
    service = subprocess.Popen(
        [*command, str(port)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + WAIT_S
        while time.monotonic() < deadline and service.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        ask(port, CLIENTS, paths[:2], given)  # the first requests import what they need
        clients = [
            threading.Thread(target=ask, args=(port, client, paths, given))
            for client in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
    finally:
        service.send_signal(signal.SIGINT)
        _, errors = service.communicate(timeout=WAIT_S)
    return Served(given, service.returncode, errors)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_answers_as_untraced_and_its_blocking_endpoint_is_found(
    name: str, tmp_path: Path
) -> None:
    packages, paths, endpoint = SERVICES[name]
    for module in packages.split():
        if find_spec(module) is None:
            pytest.skip(f"{module} has no wheel for this Python")
    program, trace = PROGRAMS / f"{name}.py", tmp_path / "t.pftrace"
    run = [sys.executable, "-m", "tracer", "run", "--no-profile", "-o", str(trace)]
    traced = serve([*run, str(program)], paths.split())
    plain = serve([sys.executable, str(program)], paths.split())
    assert traced.given == plain.given
    assert traced.given.total() == (CLIENTS + 1) * REQUESTS
    assert traced.code == plain.code
    said = [line for line in traced.errors.splitlines() if not line.startswith("tracer: ")]
    assert said == plain.errors.splitlines()

    lines = program.read_text().splitlines()
    (line,) = (n for n, text in enumerate(lines, 1) if "#: blocks" in text)
    report = [sys.executable, "-m", "tracer", "report", str(trace), "--json"]
    found = json.loads(subprocess.check_output([*report, "--section", "findings"]))["findings"]
    # On a slow machine, the server's own steps may be long as well, or another finding leads.
    blocked = [row for row in found if row["finding"] == "loop blocked"]
    sites = [row["evidence"]["site"].rpartition(":") for row in blocked]
    assert (str(program), "blocking") in [
        (path, function.partition(" ")[2]) for path, _, function in sites
    ]
    assert any(f"({program.name}:{line})" in row["text"] for row in blocked)

    model = build_model(read_trace(trace))
    coros = Counter(model.trace.text(coro) for coro in model.owners.task_coro)
    each = CLIENTS * REQUESTS // len(paths.split())
    assert coros["blocking"] == each
    assert coros[endpoint] == each + REQUESTS // 2
