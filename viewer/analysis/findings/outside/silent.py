"""Clients that send nothing, or little at a time, to a server that waits for them alone."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tracer.units import MS, plural
from viewer.analysis.findings.basis.facts import LOST_NS, Facts, Finding
from viewer.analysis.findings.basis.waits import name_of, place_in
from viewer.analysis.findings.basis.words import in_total
from viewer.analysis.findings.outside.fullpipes import stack_in
from viewer.analysis.states import mentioned
from viewer.words import code

# A client that sends nothing for half a second keeps everybody from connecting. So do those
# that send in pieces, if that takes a quarter of the time from the first one to the last.
_LONG_NS = 100 * MS
_PIECE_NS = 20 * MS
_PART = 4
_SERVES = (" BaseServer.serve_forever", " SyncWorker.run")
_READS_REQUEST = (" BaseHTTPRequestHandler.handle_one_request", " SocketUnreader.chunk")
_SOCKETS = ("/socket.py", "/ssl.py")


class _Accept(NamedTuple):
    """A function that accepts a connection and does its handshake, too: in calls of such a
    name, called from one of `inner`."""

    function: str
    call: str
    inner: tuple[str, ...]
    said: str
    step: str


_ACCEPTS = (
    _Accept(" SSLSocket.accept", "do_handshake", ("",), "`do_handshake` inside `accept`",
            "Wrap the connection after `accept`, in the thread that serves it, and give it a "
            "time-out."),
    _Accept(" Listener.accept", "os.read", (" deliver_challenge", " answer_challenge"),
            "the handshake of the `authkey` inside `Listener.accept`",
            "Make the listener without `authkey`, and call `deliver_challenge` and "
            "`answer_challenge` in the thread that serves the connection."),
)  # fmt: skip


def silent_clients(facts: Facts) -> Iterator[Finding]:
    """Calls of servers that last as long as a client likes."""
    yield from _handshakes(facts)
    yield from _silent_clients(facts)


def _handshakes(facts: Facts) -> Iterator[Finding]:
    """`accept` of a listening socket waits for the client's handshake: of TLS, of a key."""
    table = facts.model.states
    if not mentioned(facts.model, *(accept.function for accept in _ACCEPTS)):
        return
    by_site: dict[tuple[_Accept, str], list[int]] = defaultdict(list)
    for accept in _ACCEPTS:
        for row in facts.calls_with(accept.call, _LONG_NS):
            stack = stack_in(facts, row)
            is_inside = any(frame.endswith(accept.inner) for frame in stack)
            if is_inside and any(frame.endswith(accept.function) for frame in stack):
                by_site[accept, facts.call(table.row[row])[1]].append(row)
    for (accept, site), rows in by_site.items():
        lost = facts.total_ns(rows)
        if lost < LOST_NS:
            continue
        worst = facts.longest(rows)
        who = code(name_of(facts.model, ("thread", table.who[worst])))
        worst_ns, start = facts.row_ns(worst), table.start_ns[worst]
        text = (
            f"Handshake in accept: {who}{place_in(site)} waited in {accept.said}, "
            f"{plural(len(rows), 'time')}, {in_total(facts, lost, worst_ns, start)}: a "
            f"client that sends nothing keeps all others from connecting. {accept.step}"
        )
        yield Finding("handshake in accept", lost, text, facts.evidence_of(worst))


def _silent_clients(facts: Facts) -> Iterator[Finding]:
    """A server's only thread waits for a request of which little or nothing comes."""
    table = facts.model.states
    if not mentioned(facts.model, *_SERVES):
        return
    by_thread: dict[int, list[int]] = defaultdict(list)
    for row in (*facts.calls_with("recv", _PIECE_NS), *facts.calls_with("read", _PIECE_NS)):
        stack = stack_in(facts, row)
        asked = next((f for f in stack if not f.partition(":")[0].endswith(_SOCKETS)), "")
        is_alone = any(f.endswith(_SERVES) for f in stack)
        if is_alone and asked.endswith(_READS_REQUEST):
            by_thread[table.who[row]].append(row)
    for rows in by_thread.values():
        worst = facts.longest(rows)
        long = [r for r in rows if facts.row_ns(r) >= _LONG_NS]
        is_in_pieces = facts.total_ns(long) < LOST_NS
        waits = rows if is_in_pieces else long
        lost = facts.total_ns(waits)
        span = max(table.end_ns[row] for row in waits) - min(table.start_ns[r] for r in waits)
        if lost < LOST_NS or (is_in_pieces and lost * _PART < span):
            continue
        name, site = facts.call(table.row[worst])
        thread = code(name_of(facts.model, ("thread", table.who[worst])))
        longest = (
            f"{plural(len(waits), 'time')}, "
            f"{in_total(facts, lost, facts.row_ns(worst), table.start_ns[worst])}. Meanwhile "
            f"it served nobody."
        )
        if is_in_pieces:
            text = (
                f"Slow client: {thread}{place_in(site)}, the only thread of a server, waited "
                f"in `{name}` for the rest of requests that their clients "
                f"send bit by bit, {longest} Let a proxy collect requests before it passes "
                f"them on, or serve each connection in a thread."
            )
        else:
            text = (
                f"Slow client: {thread}, the only thread of a server, waited "
                f"in `{name}` for the request of a client that had connected and sent "
                f"nothing, {longest} Serve each connection in a thread "
                f"(`ThreadingHTTPServer`), and give it a short time-out."
            )
        yield Finding("slow client", lost, text, facts.evidence_of(worst))
