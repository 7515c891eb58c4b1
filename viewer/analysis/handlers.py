"""Signal handlers that are blocked while their thread's loop is in its poll: the loop looks
idle, but answers nobody."""

from functools import lru_cache
from typing import NamedTuple

from viewer.analysis.ledger.ledger import Ledger
from viewer.analysis.states import having, marks, mentioned, stack_of
from viewer.trace.columns import IO, LOCK_WAIT, SLEEP, STATE_MASK
from viewer.trace.model import Model
from viewer.trace.sites import innermost, place_of

_LONG_NS = 10_000_000
_MOST = 10_000  # states whose stacks are looked at, the first ones
_FILE, _POLL, _SELECT = "/selectors.py:", "Selector.select", "select."


class Handler(NamedTuple):
    """One that was blocked; `site` is its own line, `loop` the loop that could not go on."""

    loop: int
    thread: int
    site: str
    start_ns: int
    end_ns: int

    @property
    def ns(self) -> int:
        return self.end_ns - self.start_ns


class _Found(NamedTuple):
    handlers: list[Handler]


def handlers_in_polls(model: Model) -> list[Handler]:
    """In order of time; several calls of one handler are one."""
    return model.derive(_Found, lambda: _Found(_handlers(model))).handlers


def _handlers(model: Model) -> list[Handler]:
    if not model.loops or not mentioned(model, _FILE):
        return []
    ledger, table, found = Ledger.of(model), model.states, list[Handler]()
    loops = set(ledger.lane_of_thread)
    wanted = marks(model, lambda state: int(state & STATE_MASK in (IO, SLEEP, LOCK_WAIT)))
    rows = model.trace.engine.longer(table.start_ns, table.end_ns, wanted, _LONG_NS)
    polls, left = (
        having(model, table.call_name, lambda name: _SELECT in name, (_SELECT,)),
        _MOST,
    )
    for row in rows:
        thread, start, end = table.who[row], table.start_ns[row], table.end_ns[row]
        is_poll = table.state[row] & STATE_MASK == IO and polls[table.row[row]]
        if thread not in loops or is_poll or not left:
            continue
        left -= 1
        site = _handler(stack_of(model, row))
        if not site:
            continue
        last = found[-1] if found else None
        if (
            last
            and (last.thread, last.site) == (thread, site)
            and start - last.end_ns < _LONG_NS
        ):
            found[-1] = last._replace(end_ns=end)
            continue
        lane = ledger.lane_of_thread[thread]
        i = ledger.loops_without_gc.row_at(lane, start)
        if 0 <= i < len(model.lane) and model.lane[i] >= 0:
            found.append(Handler(model.lane[i], thread, site, start, end))
    return found


@lru_cache(maxsize=4096)
def _handler(stack: str) -> str:
    """The outermost frame of the user's code inside of the poll of a loop; "" none."""
    frames = stack.split("\n")
    for n, frame in enumerate(frames):
        if _FILE in frame and place_of(frame).function.endswith(_POLL):
            return innermost(reversed(frames[:n]))
    return ""
