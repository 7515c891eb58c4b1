"""Findings: what is wrong with a program, one small function for each kind of fault.

The thresholds stand beside each function, with the reason. What the kernel or another program
did is never counted as this program's fault.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import NamedTuple

from tracer import schema as s
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.order import across, in_order
from viewer.analysis.findings.basis.waits import LongWaits

__all__ = [
    "FINDERS",
    "KINDS",
    "Evidence",
    "Facts",
    "Failed",
    "Finder",
    "Finding",
    "find",
    "fitting",
]

type Find = Callable[[Facts], Iterator[Finding]]
type _Need = Callable[[Facts], object]


class Finder(NamedTuple):
    """A function that finds, in a module of this package. The module is imported only where
    the trace has all that the function looks at: to import all takes as long as to read a
    hundred thousand events."""

    module: str
    function: str
    needs: tuple[_Need, ...] = ()

    def load(self) -> Find:
        found: Find = getattr(import_module(f"{__name__}.{self.module}"), self.function)
        return found


class Failed(NamedTuple):
    """A finder that failed on a trace: a defect of ours, which must not cost the rest."""

    finder: Finder
    error: Exception


# What the trace has.


def _processes(facts: Facts) -> bool:
    return len(facts.model.trace.processes) > 1


def _calls(facts: Facts) -> bool:
    return len(facts.model.states.call_name) > 0


def _loops(facts: Facts) -> bool:
    return bool(facts.model.loops) or len(facts.model.owners.task_id) > 0


def _waits(facts: Facts) -> bool:
    waits = LongWaits.of(facts)
    return bool(waits.all or waits.for_tasks)


def _locks(facts: Facts) -> bool:
    return len(facts.model.states.lock_id) > 0


def _stacks(facts: Facts) -> bool:
    return any(True for _ in facts.model.trace.stacks)


def _samples(facts: Facts) -> bool:
    return len(facts.model.trace.events.sample_tid) > 0


def _collections(facts: Facts) -> bool:
    return len(facts.model.collections) > 0


def _failures(facts: Facts) -> bool:
    symbol = facts.model.trace.symbol
    return symbol(s.RAISED) >= 0 or symbol(s.ERROR_RESPONSE) >= 0


def _snapshots(facts: Facts) -> bool:
    return bool(facts.model.trace.processes.snapshots)


FINDERS = (
    Finder("basis.moment", "slow_moment", (_snapshots,)),
    # loop blocked, task never yields, blocking call on the loop thread
    Finder("loops.loops", "loop_findings", (_loops,)),
    Finder("loops.blocked", "interrupted_loop", (_loops,)),  # loop blocked
    Finder("loops.crowds", "loop_overloaded", (_loops,)),
    Finder("loops.busytasks", "busy_with_one", (_loops,)),  # loop overloaded
    Finder("loops.crowds", "debug_mode", (_loops, _samples)),  # loop overloaded
    Finder("loops.blocked", "blocked_reactor", (_calls,)),  # loop blocked
    Finder("loops.asleep", "sleeping_loop", (_loops,)),  # missed wake-up
    Finder("locks.locks", "lock_convoy", (_locks,)),
    Finder("locks.notified", "woken_in_vain", (_locks,)),
    Finder("locks.polled", "polled_lock", (_stacks,)),  # lock convoy
    # deadlock; before file_lock, which tells the others
    Finder("deadlocks.standing", "join_under_lock", (_processes, _calls)),
    # pool exhausted, lock convoy; before file_lock, too
    Finder("locks.betweenprocesses", "permits_between_processes", (_calls,)),
    Finder("locks.betweenprocesses", "file_lock", (_calls,)),  # lock convoy
    Finder("locks.ownlocks", "own_lock", (_stacks,)),  # lock convoy
    Finder("locks.locks", "held_across_await", (_locks,)),
    Finder("deadlocks.cycles", "deadlock", (_locks,)),
    Finder("deadlocks.itself", "own_end", (_waits,)),  # deadlock
    Finder("deadlocks.knots", "knots", (_waits,)),  # deadlocks that are not of locks alone
    Finder("deadlocks.itself", "waits_for_itself", (_calls,)),  # deadlock
    Finder("deadlocks.itself", "both_wait", (_calls,)),  # deadlock
    Finder("deadlocks.itself", "locked_by_its_loop", (_calls, _loops, _failures)),  # deadlock
    Finder("vain.streams", "both_read", (_loops,)),  # wait in vain
    Finder("deadlocks.standstill", "full_queues", (_processes, _calls)),  # deadlock
    Finder("deadlocks.standstill", "standstill", (_waits,)),  # deadlock
    Finder("loops.orphans", "orphaned_task", (_loops,)),
    Finder("loops.orphans", "unasked_failure", (_loops,)),  # orphaned task
    Finder("loops.orphans", "lost_items", (_waits,)),  # orphaned task
    Finder("loops.tasks", "task_leak", (_loops,)),
    Finder("loops.restless", "busy_loop", (_loops,)),
    Finder("loops.spinning", "spinning_threads"),  # busy loop
    Finder("loops.questions", "asking_threads", (_samples,)),  # busy loop
    Finder("loops.questions", "short_calls", (_samples,)),  # busy loop
    Finder("outside.asked", "asks_again", (_calls,)),  # busy loop
    Finder("loops.restless", "ticking_callbacks", (_loops,)),  # busy loop
    Finder("loops.turns", "awaits_in_turn", (_loops,)),
    Finder("loops.gathered", "gathered_in_rounds", (_loops,)),  # awaits in turn
    Finder("loops.oneatatime", "one_at_a_time"),  # awaits in turn
    Finder("pools.handovers", "tiny_jobs"),  # awaits in turn
    Finder("pools.handovers", "manager_asked", (_calls,)),  # awaits in turn
    Finder("outside.onebyone", "calls_one_by_one", (_calls,)),  # awaits in turn
    Finder("pools.consumers", "slow_consumer", (_waits,)),
    Finder("pools.consumers", "slow_reader", (_calls,)),  # slow consumer
    Finder("pools.consumers", "no_time_for_messages", (_stacks,)),  # slow consumer
    Finder("pools.jobs", "pool_starvation"),  # thread-pool starvation
    Finder("pools.runners", "runner_findings", (_stacks,)),  # thread-pool starvation
    Finder("vain.endedservers", "failed_server", (_waits,)),  # wait in vain
    Finder("vain.failedthreads", "failed_thread", (_waits,)),  # wait in vain
    Finder("vain.failedthreads", "unanswered_call", (_calls,)),  # wait in vain
    Finder("pools.queued", "jobs_in_queue"),  # thread-pool starvation
    # slots never returned, wait in vain
    Finder("processes.endedparties", "ended_party", (_processes, _calls)),
    Finder("pools.slots", "slot_findings", (_waits,)),  # pool exhausted, slots never returned
    Finder("pools.exhausted", "polled_slots", (_stacks,)),  # pool exhausted
    Finder("pools.exhausted", "relayed", (_waits,)),  # pool exhausted
    Finder("pools.turns", "serves_in_turn"),  # pool exhausted
    Finder("servers.full", "forking_server_full", (_calls,)),  # pool exhausted
    Finder("servers.full", "one_server", (_calls,)),  # pool exhausted
    Finder("servers.full", "servers_busy", (_stacks,)),  # pool exhausted
    Finder("servers.accepted", "too_busy_to_accept"),  # pool exhausted
    Finder("pools.stalled", "stalled_pool", (_waits,)),  # deadlock
    Finder("pools.stalled", "stalled_takers", (_waits,)),  # deadlock
    # lock convoy; after knots, which tell the circles
    Finder("locks.ownlocks", "slow_import", (_waits,)),
    Finder("processes.starting", "slow_start"),
    Finder("servers.lifespans", "slow_start_up", (_loops,)),  # slow start
    Finder("servers.lifespans", "slow_stop", (_loops,)),  # slow end
    Finder("servers.lifespans", "slow_close", (_stacks,)),  # slow end
    Finder("vain.endless", "outlived_time_out", (_waits,)),  # wait in vain
    Finder("processes.leaving", "slow_end"),  # after outlived, which tells why it had to wait
    Finder("vain.overtime", "late_time_out", (_loops,)),  # wait in vain
    Finder("vain.overtime", "overstayed", (_loops,)),  # wait in vain
    Finder("vain.overtime", "refused_cancel", (_loops,)),  # wait in vain
    Finder("pools.schedulers", "late_jobs", (_stacks,)),  # pool exhausted
    Finder("locks.notified", "woke_one_of_many", (_waits,)),  # missed wake-up
    Finder("loops.timers", "put_off", (_waits,)),  # missed wake-up
    Finder("vain.overslept", "overslept", (_stacks,)),  # missed wake-up
    Finder("vain.overslept", "entered_sooner", (_stacks,)),  # missed wake-up
    Finder("loops.timers", "put_off_for_all"),  # missed wake-up
    Finder("processes.forked", "locks_left_by_forks", (_waits,)),  # deadlock
    Finder("vain.vain", "vain_findings", (_waits,)),  # missed wake-up, wait in vain
    Finder("vain.missed", "looked_in_vain", (_waits, _calls)),  # missed wake-up
    Finder("vain.missed", "woken_while_busy", (_waits,)),  # missed wake-up
    Finder("locks.parties", "slow_party", (_waits,)),  # uneven workers
    Finder("vain.abandoned", "no_producer", (_loops,)),  # wait in vain
    Finder("vain.stuckchildren", "forgotten_task", (_waits,)),  # wait in vain
    Finder("vain.pipes", "left_pipes", (_calls,)),  # wait in vain
    Finder("vain.pipes", "kept_by_a_sibling", (_processes, _calls)),  # wait in vain
    Finder("vain.pipes", "late_output", (_calls,)),  # wait in vain
    Finder("vain.stuckchildren", "no_start", (_waits,)),  # wait in vain
    Finder("vain.stuckchildren", "stuck_children", (_waits,)),  # wait in vain
    Finder("vain.abandoned", "swallowed_cancel", (_loops,)),  # wait in vain
    Finder("vain.overtime", "slow_clean_up", (_loops,)),  # wait in vain
    Finder("vain.endless", "close_in_vain", (_waits,)),  # wait in vain
    Finder("vain.noanswers", "body_never_came", (_loops,)),  # wait in vain
    Finder("vain.noanswers", "no_answer", (_loops,)),  # wait in vain
    Finder("vain.noanswers", "lost_answers", (_loops,)),  # wait in vain
    Finder("vain.timelimits", "time_outs", (_loops,)),
    Finder("vain.abandoned", "cancelled_for_all", (_waits,)),  # wait in vain
    Finder("vain.streams", "nobody_reads", (_loops,)),  # wait in vain
    Finder("vain.pipes", "writer_gone", (_processes, _calls)),  # wait in vain
    # deadlock, full pipe, wait in vain
    Finder("deadlocks.standing", "standing_still", (_processes, _calls)),
    Finder("processes.children", "killed_child"),  # wait in vain
    Finder("processes.children", "asked_in_vain", (_processes, _calls)),  # slow end
    Finder("servers.replaced", "replaced_worker", (_processes,)),  # wait in vain
    Finder("basis.databases", "database_locked"),
    Finder("outside.serverlocks", "server_lock"),  # database locked, deadlock
    Finder("outside.retried", "retried_transaction", (_calls,)),  # database locked
    Finder("outside.retried", "busy_time_out"),  # database locked
    Finder("outside.stalls", "slow_answer"),
    Finder("outside.stalls", "stuck_sends", (_calls,)),  # slow client
    Finder("outside.heldup", "held_up", (_stacks,)),  # slow answer
    Finder("outside.heldback", "held_back", (_calls,)),  # slow answer
    Finder("pools.stragglers", "straggler", (_waits,)),  # slow answer
    Finder("outside.stalls", "late_answers", (_waits,)),  # slow answer
    Finder("outside.rounds", "in_rounds"),  # slow answer
    Finder("outside.connecting", "refused_again", (_calls,)),  # retries
    Finder("outside.attempts", "long_retries", (_stacks,)),  # retries
    Finder("pools.backlog", "held_up_by_one", (_failures,)),  # retries
    Finder("outside.attempts", "failing_calls", (_failures,)),  # pool exhausted, retries …
    Finder("outside.reconnects", "connects_at_once", (_loops,)),  # busy loop
    Finder("outside.connecting", "slow_connects"),  # wait in vain, slow answer
    Finder("vain.timelimits", "cut_short", (_calls,)),  # wait in vain
    Finder("vain.timelimits", "library_gave_up", (_failures,)),  # wait in vain
    Finder("outside.reconnects", "new_connections", (_stacks,)),
    Finder("processes.lastchild", "last_child", (_processes,)),  # slow answer, uneven workers
    Finder("outside.broadcasts", "slow_reader_of_several", (_loops,)),  # slow client
    Finder("outside.broadcasts", "written_without_room"),  # slow client
    Finder("outside.fullpipes", "polled_pipes", (_calls,)),  # full pipe
    Finder("outside.silent", "silent_clients"),  # handshake in accept, slow client
    Finder("outside.fullpipes", "full_pipes"),
    Finder("pools.toomany", "too_many_workers"),
    Finder("pools.pileups", "workers_never_exit"),
    Finder("pools.pileups", "executors_pile_up"),  # workers never exit
    Finder("pools.pileups", "pollers_pile_up"),  # workers never exit
    Finder("pools.pileups", "readers_pile_up", (_calls,)),  # workers never exit
    Finder("pools.pileups", "processes_pile_up"),  # workers never exit
    Finder("processes.children", "children_pile_up"),  # workers never exit
    Finder("processes.children", "children_fail_again", (_processes,)),  # busy loop
    Finder("interpreter.descriptors", "descriptors_pile_up"),
    Finder("pools.backlog", "queue_grows"),
    Finder("loops.timers", "timers_pile_up"),
    Finder("loops.timers", "timer_threads", (_waits,)),  # timers pile up
    Finder("pools.backlog", "jobs_pile_up"),  # queue grows
    Finder("interpreter.gil", "gil_hog"),
    Finder("interpreter.gil", "gil_saturated"),
    Finder("interpreter.collector", "gc_in_hot_path", (_collections,)),
    # GC in the hot path
    Finder("interpreter.collector", "slow_finalisers", (_collections,)),
    Finder("interpreter.memory", "memory_grows"),  # growing global
    # growing global, garbage …, built and thrown away
    Finder("interpreter.memory", "memory_findings"),
    # uneven workers, pickling, idle workers, pool too large
    Finder("processes.processes", "process_findings", (_processes,)),
    Finder("processes.starved", "starved_workers", (_processes,)),  # idle workers
)
# The names of all findings; docs/findings.md explains each.
KINDS = (
    "GC in the hot path",
    "GIL hog",
    "GIL saturated",
    "awaits in turn",
    "blocking call on the loop thread",
    "built and thrown away",
    "busy loop",
    "database locked",
    "deadlock",
    "descriptors pile up",
    "full pipe",
    "garbage that only the collector frees",
    "growing global",
    "handshake in accept",
    "idle workers",
    "lock convoy",
    "lock held across await",
    "long waits",
    "loop blocked",
    "loop overloaded",
    "missed wake-up",
    "new connections",
    "orphaned task",
    "pickling",
    "pool exhausted",
    "pool too large",
    "queue grows",
    "retries",
    "slots never returned",
    "slow answer",
    "slow client",
    "slow consumer",
    "slow end",
    "slow start",
    "slow moment",
    "task leak",
    "task never yields",
    "thread-pool starvation",
    "thundering herd",
    "time-outs",
    "timers pile up",
    "too many workers",
    "uneven workers",
    "wait in vain",
    "workers never exit",
)


def find(facts: Facts, failed: list[Failed] | None = None) -> tuple[Finding, ...]:
    """All findings, the most expensive first; what no known fault explains comes last.

    A finder that fails is added to `failed`; without that list it raises.
    """
    fit = fitting(facts)
    known = across(facts, (found for one in fit for found in _found(one, facts, failed)))
    return (*in_order(known), *across(facts, _unexplained(facts, known)))


def _found(finder: Finder, facts: Facts, failed: list[Failed] | None) -> Iterator[Finding]:
    try:
        yield from finder.load()(facts)
    except Exception as error:
        if failed is None:
            raise
        failed.append(Failed(finder, error))


def fitting(facts: Facts) -> Iterator[Finder]:
    """The finders that may find something in this trace, in their order."""
    has: dict[_Need, bool] = {}
    for finder in FINDERS:
        for need in finder.needs:
            if need not in has:
                has[need] = bool(need(facts))
        if all(map(has.__getitem__, finder.needs)):
            yield finder


def _unexplained(facts: Facts, known: list[Finding]) -> Iterator[Finding]:
    if not _waits(facts):
        return iter(())
    from viewer.analysis.findings.vain.general import unexplained

    return unexplained(facts, known)
