"""Connections within a process of which each end waits for the other one to send."""

from collections.abc import Iterator

from tracer.units import duration
from viewer.analysis.findings.basis.facts import Facts, Finding
from viewer.analysis.findings.basis.itself import is_own
from viewer.analysis.findings.basis.waits import place_in
from viewer.analysis.findings.basis.words import at
from viewer.analysis.ledger.resource import covers
from viewer.analysis.states import stack_of
from viewer.trace.columns import IO
from viewer.trace.sites import is_library
from viewer.words import code

_MS = 1_000_000
# Half a second; both began at the same time, and the client's wait ended with the server's.
_LONG_NS = 500 * _MS
_TOGETHER_NS = 50 * _MS
_MOST = 1_000
# Whoever reads a response has sent its request; whoever serves it should not read then.
_READS = " HTTPResponse."
_BEGINS = " HTTPResponse.begin"  # nothing of it has come yet
_SERVES = " BaseHTTPRequestHandler.handle_one_request"
_RECEIVES = ("recv", "recv_into")


def both_wait(facts: Facts) -> Iterator[Finding]:
    """A client reads the rest of a response, while the server reads the next request."""
    table, model = facts.model.states, facts.model
    rows = [*facts.rows_of((IO,), _LONG_NS)][:_MOST]
    rows = [row for row in rows if facts.call(table.row[row])[0].endswith(_RECEIVES)]
    # A handler that reads a response is a client itself: of whom, others tell.
    stacks = {row: stack_of(model, row) for row in rows}
    serving = [
        row for row, stack in stacks.items() if _SERVES in stack and _READS not in stack
    ]
    for row, stack in stacks.items() if serving else ():
        if _READS not in stack or not is_own(facts, row):
            continue
        start, end = table.start_ns[row], table.end_ns[row]
        for other in serving:
            if _BEGINS in stack and is_library(facts.call(table.row[other])[1]):
                continue  # that server may be busy with another client
            ends = 0 <= end - table.end_ns[other] <= _TOGETHER_NS
            met = end - max(table.start_ns[other], start)
            is_here = (
                model.thread_process[table.who[other]] == model.thread_process[table.who[row]]
            )
            if ends and is_here and covers(met, end - start):
                yield _finding(facts, row, other)
                break


def _finding(facts: Facts, row: int, other: int) -> Finding:
    table, names = facts.model.states, facts.model.thread_names
    start, ns = table.start_ns[row], facts.row_ns(row)
    (name, site), (theirs, where) = (facts.call(table.row[one]) for one in (row, other))
    own = "" if is_library(where) else place_in(where)
    what, step = (
        ("the rest of the request", "Send as much as `Content-Length` says")
        if own
        else (
            "the next request",
            "Send a `Content-Length` with the response, or close the connection after it "
            "(`Connection: close`)",
        )
    )
    text = (
        f"Deadlock {at(facts, start)}, for {duration(ns)}: {code(names[table.who[row]])}"
        f"{place_in(site)} waits in `{name}` for the rest of a response, while "
        f"{code(names[table.who[other]])}{own}, which serves it, waits in `{theirs}` for "
        f"{what}, until one of them gave up. {step}."
    )
    evidence = facts.evidence(("thread", table.who[row]), start, ns, site)
    return Finding("deadlock", ns, text, evidence)
