"""Which waits weigh: lost time, what one waits for anyway, and what has nothing to do."""

from collections import Counter
from collections.abc import Iterable
from enum import IntEnum

from tracer import schema as s
from viewer.analysis.causes.part import Kind
from viewer.analysis.causes.tree import Tree
from viewer.analysis.ledger.rows import longs
from viewer.analysis.states import numbers
from viewer.analysis.waited import For, waited_for
from viewer.analysis.why.waits import (
    CHILDREN,
    Wait,
    What,
    acquired,
    is_over,
    site,
    subject,
)
from viewer.trace.sites import is_import, is_library, via

_MAIN_THREAD = "MainThread"
# A worker that looks at its queue again and again runs into as many timeouts. Once or twice
# somebody did not come.
_LOOKS = 3
# An idle wait weighs when others waited for the waiter for a tenth of it.
_OWED = 10

_SERVING = ("accept", "serve_forever", "run_forever", "handle_request")
_POLLS = ("select.", "selectors.")
_RECEIVES = ("recv", "recv_into", "recvfrom", "recvmsg", "read", "readinto", "readline")
_RESULTS = ("Future.result", "import", "Queue.put", "Queue.join", "Barrier.wait")
_ENDS = ("Thread.join", "Thread.start", "gather", "wait", "nursery")
_TURN = "SemLock.__enter__"  # in a library: who of a pool's idle workers reads its queue
_WORKERS = "executor idle"
_LOCKS = "Lock"  # idle waits for a lock are for a signal: see trace/signals.py
_TAKEN = ("Queue.get", "MemoryChannel.receive", "MemoryObjectStream.receive")
_ASKED = ("Event", "Condition", "future", "Barrier", *_TAKEN)


class Weight(IntEnum):
    """What a wait is to a human: so many ns of such waits count as one ns that was lost."""

    LOST = 1  # for somebody or something in the program, or a child of it
    OUTSIDE = 2  # for what comes from elsewhere
    ASLEEP = 4  # by intention
    END = 8  # of others, whose own waits are told
    MACHINE = 9  # others had the CPU, or a module was read
    IDLE = 16  # has nothing to do


_OUTSIDE = {
    For.CLOCK: Weight.ASLEEP,
    For.OUTSIDE: Weight.OUTSIDE,
    For.CALLERS: Weight.IDLE,
}


class Weights:
    """Weights of waits that are looked at together: they tell of each other."""

    def __init__(self, tree: Tree, waits: Iterable[Wait]) -> None:
        self.tree, self.model = tree, tree.model
        self.loop_threads = set(tree.ledger.thread_of_loop)
        waits = list(waits)
        self._looks = Counter(self._place(wait) for wait in waits if not acquired(tree, wait))
        self._owed = self._find_owed(waits)

    def _place(self, wait: Wait) -> tuple[int, int, str]:
        table = self.model.states
        if wait.of_task:
            return self.model.owners.owner[wait.row], -1, subject(self.tree, wait)
        return table.who[wait.row], table.site[wait.row], subject(self.tree, wait)

    def _find_owed(self, waits: list[Wait]) -> dict[Wait, int]:
        """By a thread's idle wait, how long others waited for the thread meanwhile."""
        table = self.model.states
        others = [
            (wait, thread)
            for wait in waits
            if subject(self.tree, wait) not in _ENDS
            and (thread := self._thread_waited_for(wait)) >= 0
        ]
        mine = [wait for wait in waits if wait.what is What.IDLE]
        if not others or not mine:
            return {}
        others.sort(key=lambda other: other[0].start_ns)
        met = self.model.trace.engine.meet(
            longs(wait.start_ns for wait, _ in others),
            longs(wait.end_ns for wait, _ in others),
            numbers(thread for _, thread in others),
            longs(wait.start_ns for wait in mine),
            longs(wait.end_ns for wait in mine),
            numbers(table.who[wait.row] for wait in mine),
            len(self.model.threads),
        )
        return dict(zip(mine, met.total, strict=True))

    def _thread_waited_for(self, wait: Wait) -> int:
        """-1 when no thread is told."""
        if wait.what is What.AWAIT:
            task = self.model.owners.owner[wait.row]
            on = self.tree.ended_by(task, wait.row).on
        elif wait.what in (What.LOCK, What.IDLE):
            on = self.tree.labels.behind(wait.row)
            if on is not None and on[0] == "owner":
                on = self.tree.labels.owner(on[1]).on
        else:
            return -1
        return on[1] if on is not None and on[0] in ("thread", "waker") else -1

    def of(self, wait: Wait, *, is_pool: bool) -> Weight:
        """`is_pool`: who waits alike also ends such waits, as with slots that go round."""
        match wait.what:
            case What.READY | What.GIL:
                return Weight.LOST
            case What.PREEMPTED | What.OFF_CPU:
                return Weight.MACHINE
            case What.AWAIT:
                return self._of_await(wait, is_pool=is_pool)
            case What.LOCK:
                is_end = subject(self.tree, wait) in _ENDS
                return Weight.END if is_end else Weight.LOST
            case What.IDLE:
                return self._of_idle(wait, is_pool=is_pool)
            case What.CALL:
                return self._of_call(wait)
            case What.SLEEP:
                return self._of_sleep(wait)

    def _of_await(self, wait: Wait, *, is_pool: bool) -> Weight:
        name, task = subject(self.tree, wait), self.model.owners.owner[wait.row]
        if name in _ENDS or name.startswith("task "):
            return Weight.END
        if (whose := waited_for(name)) in _OUTSIDE:
            # A ticker sleeps forever, and a connection at rest has no task to return to.
            is_done = self.tree.ledger.how_it_ended(task) == s.DONE
            return _OUTSIDE[whose] if is_done else Weight.IDLE
        if name in _ASKED and not is_pool:
            return self._of_asked(wait, name)
        return Weight.IDLE if name.startswith("Server.") else Weight.LOST

    def _of_asked(self, wait: Wait, name: str) -> Weight:
        """A wait for whatever somebody sets or puts, who is not one of those that wait."""
        task = self.model.owners.owner[wait.row]
        ended = self.tree.ended_by(task, wait.row).kind
        if self._timed_out(wait):
            return Weight.LOST
        if name in _TAKEN:
            return Weight.IDLE
        if ended in (Kind.IO, Kind.WRITER) and self.tree.ledger.how_it_ended(task) == s.DONE:
            return Weight.OUTSIDE
        return Weight.LOST if ended in (Kind.WAKER, Kind.OWNER) else Weight.IDLE

    def _timed_out(self, wait: Wait) -> bool:
        """Given up, though not by one who looks again and again, nor as the program ended."""
        if wait.what is What.AWAIT:
            task = self.model.owners.owner[wait.row]
            return self.tree.ended_by(task, wait.row).kind is Kind.TIMEOUT
        given_up = not acquired(self.tree, wait) and is_over(self.model, wait)
        return given_up and self._looks[self._place(wait)] < _LOOKS

    def _of_idle(self, wait: Wait, *, is_pool: bool) -> Weight:
        name, table = subject(self.tree, wait), self.model.states
        if name == _WORKERS:
            return Weight.IDLE
        if name in _ENDS:
            return Weight.END
        if waited_for(name) is For.POOL:
            return Weight.LOST
        is_signal = name.endswith(_LOCKS)
        if name in _RESULTS or (not is_signal and (is_pool or self._timed_out(wait))):
            return Weight.LOST
        is_main = self.model.threads[table.who[wait.row]].thread_name == _MAIN_THREAD
        if is_main and table.waker[wait.row] >= 0:
            return Weight.LOST
        is_owed = self._owed.get(wait, 0) * _OWED >= wait.ns
        return Weight.LOST if is_owed else Weight.IDLE

    def _of_call(self, wait: Wait) -> Weight:
        if is_import(site(self.tree, wait)):
            return Weight.MACHINE
        if subject(self.tree, wait).startswith(CHILDREN):
            return Weight.LOST
        return Weight.IDLE if self._is_service(wait) else Weight.OUTSIDE

    def _is_service(self, wait: Wait) -> bool:
        """A server's wait for whoever comes: nobody's code asked for it, or it says so."""
        name, where = subject(self.tree, wait), site(self.tree, wait)
        last = name.rpartition(".")[2]
        if last in _SERVING or via(where).rpartition(".")[2] in _SERVING:
            return True
        thread = self.model.states.who[wait.row]
        if self.tree.elsewhere.is_poll_of_loop(thread, wait.row):
            return True
        if name.startswith(_POLLS) and thread in self.loop_threads:
            return True
        is_asking = name.startswith(_POLLS) or last in _RECEIVES or name.endswith(_TURN)
        return is_asking and (not where or is_library(where))

    def _of_sleep(self, wait: Wait) -> Weight:
        if subject(self.tree, wait) != s.SLEEP:
            return Weight.LOST
        thread, table = self.model.states.who[wait.row], self.model.states
        is_main = self.model.threads[thread].thread_name == _MAIN_THREAD
        process = self.model.thread_process[thread]
        last_ns = self.model.trace.processes[process].end_ns if process >= 0 else 0
        has_ended = table.last_ns[thread] < last_ns
        return Weight.ASLEEP if is_main or has_ended else Weight.IDLE
