"""Findings: what is wrong with a program, one small function for each kind of fault.

The thresholds stand beside each function, with the reason. What the kernel or another program
did is never counted as this program's fault.
"""

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import NamedTuple

from viewer.analysis.findings.basis.across import across
from viewer.analysis.findings.basis.facts import Evidence, Facts, Finding
from viewer.analysis.findings.basis.order import in_order
from viewer.analysis.findings.basis.waits import LongWaits
from viewer.analysis.findings.deadlocks.bothends import both_wait
from viewer.analysis.findings.deadlocks.cycles import deadlock
from viewer.analysis.findings.deadlocks.fullqueues import full_queues
from viewer.analysis.findings.deadlocks.joined import join_under_lock
from viewer.analysis.findings.deadlocks.knots import knots
from viewer.analysis.findings.deadlocks.ownend import own_end
from viewer.analysis.findings.deadlocks.standing import standing_still
from viewer.analysis.findings.deadlocks.standstill import standstill
from viewer.analysis.findings.interpreter.descriptors import descriptors_pile_up
from viewer.analysis.findings.interpreter.finalisers import slow_finalisers
from viewer.analysis.findings.interpreter.gil import gil_saturated
from viewer.analysis.findings.interpreter.interpreter import gc_in_hot_path, gil_hog
from viewer.analysis.findings.interpreter.memory import memory_findings
from viewer.analysis.findings.interpreter.resident import memory_grows
from viewer.analysis.findings.locks.filelocks import file_lock
from viewer.analysis.findings.locks.locks import held_across_await, lock_convoy
from viewer.analysis.findings.locks.notified import woke_one_of_many
from viewer.analysis.findings.locks.ownlocks import own_lock, slow_import
from viewer.analysis.findings.locks.parties import slow_party
from viewer.analysis.findings.locks.permits import permits_between_processes
from viewer.analysis.findings.locks.polled import polled_lock
from viewer.analysis.findings.loops.asleep import sleeping_loop
from viewer.analysis.findings.loops.busytasks import busy_with_one
from viewer.analysis.findings.loops.crowds import loop_overloaded
from viewer.analysis.findings.loops.debugmode import debug_mode
from viewer.analysis.findings.loops.interrupted import interrupted_loop
from viewer.analysis.findings.loops.loops import loop_findings
from viewer.analysis.findings.loops.oneatatime import one_at_a_time
from viewer.analysis.findings.loops.reactors import blocked_reactor
from viewer.analysis.findings.loops.restless import busy_loop
from viewer.analysis.findings.loops.sharedtasks import cancelled_for_all
from viewer.analysis.findings.loops.shortcalls import short_calls
from viewer.analysis.findings.loops.spinning import spinning_threads
from viewer.analysis.findings.loops.tasks import orphaned_task, task_leak
from viewer.analysis.findings.loops.ticking import ticking_callbacks
from viewer.analysis.findings.loops.timers import put_off_for_all, timers_pile_up
from viewer.analysis.findings.loops.turns import awaits_in_turn
from viewer.analysis.findings.outside.answers import body_never_came, no_answer
from viewer.analysis.findings.outside.asked import asks_again
from viewer.analysis.findings.outside.broadcasts import slow_reader_of_several
from viewer.analysis.findings.outside.busytimeouts import busy_time_out
from viewer.analysis.findings.outside.connecting import slow_connects
from viewer.analysis.findings.outside.heldback import held_back
from viewer.analysis.findings.outside.heldup import held_up
from viewer.analysis.findings.outside.laggards import late_answers
from viewer.analysis.findings.outside.onebyone import calls_one_by_one
from viewer.analysis.findings.outside.onlysender import stands_at_one_client
from viewer.analysis.findings.outside.outside import outside_findings
from viewer.analysis.findings.outside.polledpipes import polled_pipes
from viewer.analysis.findings.outside.reconnecting import connects_at_once
from viewer.analysis.findings.outside.reconnects import new_connections
from viewer.analysis.findings.outside.retried import retried_transaction
from viewer.analysis.findings.outside.retries import long_retries
from viewer.analysis.findings.outside.rounds import in_rounds
from viewer.analysis.findings.outside.serverlocks import server_lock
from viewer.analysis.findings.outside.stalls import slow_answer
from viewer.analysis.findings.pools.backlog import jobs_pile_up, queue_grows
from viewer.analysis.findings.pools.consumers import slow_consumer
from viewer.analysis.findings.pools.exhausted import polled_slots, relayed
from viewer.analysis.findings.pools.handovers import tiny_jobs
from viewer.analysis.findings.pools.hanging import readers_pile_up
from viewer.analysis.findings.pools.jobs import pool_starvation
from viewer.analysis.findings.pools.pools import (
    executors_pile_up,
    pollers_pile_up,
    processes_pile_up,
    too_many_workers,
    workers_never_exit,
)
from viewer.analysis.findings.pools.processqueues import slow_reader
from viewer.analysis.findings.pools.queued import jobs_in_queue
from viewer.analysis.findings.pools.runners import runner_findings
from viewer.analysis.findings.pools.schedulers import late_jobs
from viewer.analysis.findings.pools.slots import slot_findings
from viewer.analysis.findings.pools.stalled import stalled_pool, stalled_takers
from viewer.analysis.findings.pools.stragglers import straggler
from viewer.analysis.findings.pools.subscribers import no_time_for_messages
from viewer.analysis.findings.pools.turns import serves_in_turn
from viewer.analysis.findings.processes.children import killed_child
from viewer.analysis.findings.processes.endedparties import ended_party
from viewer.analysis.findings.processes.forked import lock_of_the_killed, locks_left_by_forks
from viewer.analysis.findings.processes.lastchild import last_child
from viewer.analysis.findings.processes.leaving import slow_end
from viewer.analysis.findings.processes.leftchildren import children_pile_up
from viewer.analysis.findings.processes.processes import across, process_findings
from viewer.analysis.findings.processes.proxies import manager_asked
from viewer.analysis.findings.processes.starting import slow_start
from viewer.analysis.findings.processes.starved import starved_workers
from viewer.analysis.findings.processes.unflushed import late_output
from viewer.analysis.findings.servers.accepted import too_busy_to_accept
from viewer.analysis.findings.servers.closing import slow_close
from viewer.analysis.findings.servers.forkingserver import forking_server_full
from viewer.analysis.findings.servers.lifespans import slow_start_up
from viewer.analysis.findings.servers.oneserver import one_server
from viewer.analysis.findings.servers.replaced import replaced_worker
from viewer.analysis.findings.servers.servers import servers_busy
from viewer.analysis.findings.servers.stopping import slow_stop
from viewer.analysis.findings.vain.abandoned import no_producer, swallowed_cancel
from viewer.analysis.findings.vain.afterothers import LONG_WAITS
from viewer.analysis.findings.vain.cleanups import late_time_out
from viewer.analysis.findings.vain.drained import nobody_reads
from viewer.analysis.findings.vain.failed import failed_server
from viewer.analysis.findings.vain.failedthreads import failed_thread
from viewer.analysis.findings.vain.forgotten import forgotten_task
from viewer.analysis.findings.vain.general import unexplained
from viewer.analysis.findings.vain.gone import writer_gone
from viewer.analysis.findings.vain.leftpipes import left_pipes
from viewer.analysis.findings.vain.lingering import slow_clean_up
from viewer.analysis.findings.vain.lostanswers import lost_answers
from viewer.analysis.findings.vain.lostitems import lost_items
from viewer.analysis.findings.vain.outlived import outlived_time_out
from viewer.analysis.findings.vain.overstayed import overstayed
from viewer.analysis.findings.vain.putoff import put_off
from viewer.analysis.findings.vain.refused import refused_cancel
from viewer.analysis.findings.vain.streams import both_read
from viewer.analysis.findings.vain.stuckchildren import no_start, stuck_children
from viewer.analysis.findings.vain.timeouts import time_outs
from viewer.analysis.findings.vain.unanswered import unanswered_call
from viewer.analysis.findings.vain.unasked import unasked_failure
from viewer.analysis.findings.vain.unclosed import close_in_vain
from viewer.analysis.findings.vain.vain import vain_findings

__all__ = ["FINDERS", "KINDS", "Evidence", "Facts", "Finder", "Finding", "find", "fitting"]

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


def _snapshots(facts: Facts) -> bool:
    return any(process.snapshot for process in facts.model.trace.processes)


FINDERS = (
    Finder("basis.moment", "slow_moment", (_snapshots,)),
    # loop blocked, task never yields, blocking call on the loop thread
    Finder("loops.loops", "loop_findings", (_loops,)),
    Finder("loops.interrupted", "interrupted_loop", (_loops,)),  # loop blocked
    Finder("loops.crowds", "loop_overloaded", (_loops,)),
    Finder("loops.busytasks", "busy_with_one", (_loops,)),  # loop overloaded
    Finder("loops.reactors", "blocked_reactor", (_calls,)),  # loop blocked
    Finder("loops.asleep", "sleeping_loop", (_loops,)),  # missed wake-up
    Finder("locks.locks", "lock_convoy", (_locks,)),
    Finder("locks.polled", "polled_lock", (_stacks,)),  # lock convoy
    # deadlock; before file_lock, which tells the others
    Finder("deadlocks.joined", "join_under_lock", (_processes, _calls)),
    # pool exhausted, lock convoy; before file_lock, too
    Finder("locks.permits", "permits_between_processes", (_calls,)),
    Finder("locks.filelocks", "file_lock", (_calls,)),  # lock convoy
    Finder("locks.ownlocks", "own_lock", (_stacks,)),  # lock convoy
    Finder("locks.locks", "held_across_await", (_locks,)),
    Finder("deadlocks.cycles", "deadlock", (_locks,)),
    Finder("deadlocks.ownend", "own_end", (_waits,)),  # deadlock
    Finder("deadlocks.knots", "knots", (_waits,)),  # deadlocks that are not of locks alone
    Finder("basis.itself", "waits_for_itself", (_calls,)),  # deadlock
    Finder("deadlocks.bothends", "both_wait", (_calls,)),  # deadlock
    Finder("vain.streams", "both_read", (_loops,)),  # wait in vain
    Finder("deadlocks.fullqueues", "full_queues", (_processes, _calls)),  # deadlock
    Finder("deadlocks.standstill", "standstill", (_waits,)),  # deadlock
    Finder("loops.tasks", "orphaned_task", (_loops,)),
    Finder("vain.unasked", "unasked_failure", (_loops,)),  # orphaned task
    Finder("vain.lostitems", "lost_items", (_waits,)),  # orphaned task
    Finder("loops.tasks", "task_leak", (_loops,)),
    Finder("loops.restless", "busy_loop", (_loops,)),
    Finder("loops.spinning", "spinning_threads"),  # busy loop
    Finder("loops.shortcalls", "short_calls", (_samples,)),  # busy loop
    Finder("outside.asked", "asks_again", (_calls,)),  # busy loop
    Finder("loops.ticking", "ticking_callbacks", (_loops,)),  # busy loop
    Finder("loops.turns", "awaits_in_turn", (_loops,)),
    Finder("loops.oneatatime", "one_at_a_time"),  # awaits in turn
    Finder("pools.handovers", "tiny_jobs"),  # awaits in turn
    Finder("processes.proxies", "manager_asked", (_calls,)),  # awaits in turn
    Finder("outside.onebyone", "calls_one_by_one", (_calls,)),  # awaits in turn
    Finder("pools.consumers", "slow_consumer", (_waits,)),
    Finder("pools.processqueues", "slow_reader", (_calls,)),  # slow consumer
    Finder("pools.subscribers", "no_time_for_messages", (_stacks,)),  # slow consumer
    Finder("pools.jobs", "pool_starvation"),  # thread-pool starvation
    Finder("pools.runners", "runner_findings", (_stacks,)),  # thread-pool starvation
    Finder("vain.failed", "failed_server", (_waits,)),  # wait in vain
    Finder("vain.failedthreads", "failed_thread", (_waits,)),  # wait in vain
    Finder("vain.unanswered", "unanswered_call", (_calls,)),  # wait in vain
    Finder("pools.queued", "jobs_in_queue"),  # thread-pool starvation
    # slots never returned, wait in vain
    Finder("processes.endedparties", "ended_party", (_processes, _calls)),
    Finder("pools.slots", "slot_findings", (_waits,)),  # pool exhausted, slots never returned
    Finder("pools.exhausted", "polled_slots", (_stacks,)),  # pool exhausted
    Finder("pools.exhausted", "relayed", (_waits,)),  # pool exhausted
    Finder("pools.turns", "serves_in_turn"),  # pool exhausted
    Finder("servers.forkingserver", "forking_server_full", (_calls,)),  # pool exhausted
    Finder("servers.oneserver", "one_server", (_calls,)),  # pool exhausted
    Finder("servers.servers", "servers_busy", (_stacks,)),  # pool exhausted
    Finder("servers.accepted", "too_busy_to_accept"),  # pool exhausted
    Finder("pools.stalled", "stalled_pool", (_waits,)),  # deadlock
    Finder("pools.stalled", "stalled_takers", (_waits,)),  # deadlock
    # lock convoy; after knots, which tell the circles
    Finder("locks.ownlocks", "slow_import", (_waits,)),
    Finder("processes.starting", "slow_start"),
    Finder("servers.lifespans", "slow_start_up", (_loops,)),  # slow start
    Finder("processes.leaving", "slow_end"),
    Finder("servers.stopping", "slow_stop", (_loops,)),  # slow end
    Finder("servers.closing", "slow_close", (_stacks,)),  # slow end
    Finder("vain.outlived", "outlived_time_out", (_waits,)),  # wait in vain
    Finder("vain.cleanups", "late_time_out", (_loops,)),  # wait in vain
    Finder("vain.overstayed", "overstayed", (_loops,)),  # wait in vain
    Finder("vain.refused", "refused_cancel", (_loops,)),  # wait in vain
    Finder("pools.schedulers", "late_jobs", (_stacks,)),  # pool exhausted
    Finder("locks.notified", "woke_one_of_many", (_waits,)),  # missed wake-up
    Finder("vain.putoff", "put_off", (_waits,)),  # missed wake-up
    Finder("loops.timers", "put_off_for_all"),  # missed wake-up
    Finder("processes.forked", "locks_left_by_forks", (_waits,)),  # deadlock
    Finder("vain.vain", "vain_findings", (_waits,)),  # missed wake-up, wait in vain
    Finder("locks.parties", "slow_party", (_waits,)),  # uneven workers
    Finder("vain.abandoned", "no_producer", (_loops,)),  # wait in vain
    Finder("vain.forgotten", "forgotten_task", (_waits,)),  # wait in vain
    Finder("vain.leftpipes", "left_pipes", (_calls,)),  # wait in vain
    Finder("processes.unflushed", "late_output", (_calls,)),  # wait in vain
    Finder("vain.stuckchildren", "no_start", (_waits,)),  # wait in vain
    Finder("vain.stuckchildren", "stuck_children", (_waits,)),  # wait in vain
    Finder("vain.abandoned", "swallowed_cancel", (_loops,)),  # wait in vain
    Finder("vain.lingering", "slow_clean_up", (_loops,)),  # wait in vain
    Finder("vain.unclosed", "close_in_vain", (_waits,)),  # wait in vain
    Finder("outside.answers", "body_never_came", (_loops,)),  # wait in vain
    Finder("outside.answers", "no_answer", (_loops,)),  # wait in vain
    Finder("vain.lostanswers", "lost_answers", (_loops,)),  # wait in vain
    Finder("vain.timeouts", "time_outs", (_loops,)),
    Finder("loops.sharedtasks", "cancelled_for_all", (_waits,)),  # wait in vain
    Finder("vain.drained", "nobody_reads", (_loops,)),  # wait in vain
    Finder("vain.gone", "writer_gone", (_processes, _calls)),  # wait in vain
    # deadlock, full pipe, wait in vain
    Finder("deadlocks.standing", "standing_still", (_processes, _calls)),
    Finder("processes.children", "killed_child"),  # wait in vain
    Finder("servers.replaced", "replaced_worker", (_processes,)),  # wait in vain
    Finder("basis.databases", "database_locked"),
    Finder("outside.serverlocks", "server_lock"),  # database locked, deadlock
    Finder("outside.retried", "retried_transaction", (_calls,)),  # database locked
    Finder("outside.busytimeouts", "busy_time_out"),  # database locked
    Finder("outside.stalls", "slow_answer"),
    Finder("outside.heldup", "held_up", (_stacks,)),  # slow answer
    Finder("outside.heldback", "held_back", (_calls,)),  # slow answer
    Finder("pools.stragglers", "straggler", (_waits,)),  # slow answer
    Finder("outside.laggards", "late_answers", (_waits,)),  # slow answer
    Finder("outside.rounds", "in_rounds"),  # slow answer
    Finder("outside.retries", "long_retries", (_stacks,)),  # retries
    Finder("outside.reconnecting", "connects_at_once", (_loops,)),  # busy loop
    Finder("outside.connecting", "slow_connects"),  # wait in vain, slow answer
    Finder("outside.reconnects", "new_connections", (_stacks,)),
    Finder("processes.lastchild", "last_child", (_processes,)),  # slow answer, uneven workers
    Finder("outside.broadcasts", "slow_reader_of_several", (_loops,)),  # slow client
    Finder("outside.onlysender", "stands_at_one_client", (_loops,)),  # slow client
    Finder("outside.polledpipes", "polled_pipes", (_calls,)),  # full pipe
    # handshake in accept, slow client, full pipe
    Finder("outside.outside", "outside_findings"),
    Finder("pools.pools", "too_many_workers"),
    Finder("pools.pools", "workers_never_exit"),
    Finder("pools.pools", "executors_pile_up"),  # workers never exit
    Finder("pools.pools", "pollers_pile_up"),  # workers never exit
    Finder("pools.hanging", "readers_pile_up", (_calls,)),  # workers never exit
    Finder("pools.pools", "processes_pile_up"),  # workers never exit
    Finder("processes.leftchildren", "children_pile_up"),  # workers never exit
    Finder("interpreter.descriptors", "descriptors_pile_up"),
    Finder("pools.backlog", "queue_grows"),
    Finder("loops.timers", "timers_pile_up"),
    Finder("pools.backlog", "jobs_pile_up"),  # queue grows
    Finder("interpreter.interpreter", "gil_hog"),
    Finder("interpreter.gil", "gil_saturated"),
    Finder("interpreter.interpreter", "gc_in_hot_path", (_collections,)),
    # GC in the hot path
    Finder("interpreter.finalisers", "slow_finalisers", (_collections,)),
    Finder("interpreter.resident", "memory_grows"),  # growing global
    # growing global, garbage …, built and thrown away
    Finder("interpreter.memory", "memory_findings"),
    # uneven workers, pickling, idle workers, pool too large
    Finder("processes.processes", "process_findings", (_processes,)),
    Finder("processes.starved", "starved_workers", (_processes,)),  # idle workers
FINDERS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    slow_moment,
    loop_findings,  # loop blocked, task never yields, blocking call on the loop thread
    interrupted_loop,  # loop blocked
    loop_overloaded,
    busy_with_one,  # loop overloaded
    debug_mode,  # loop overloaded
    blocked_reactor,  # loop blocked
    sleeping_loop,  # missed wake-up
    lock_convoy,
    polled_lock,  # lock convoy
    join_under_lock,  # deadlock; before file_lock, which tells the others
    permits_between_processes,  # pool exhausted, lock convoy; before file_lock, too
    file_lock,  # lock convoy
    own_lock,  # lock convoy
    held_across_await,
    deadlock,
    own_end,  # deadlock
    knots,  # deadlocks that are not of locks alone
    waits_for_itself,  # deadlock
    both_wait,  # deadlock
    both_read,  # wait in vain
    full_queues,  # deadlock
    standstill,  # deadlock
    orphaned_task,
    unasked_failure,  # orphaned task
    lost_items,  # orphaned task
    task_leak,
    busy_loop,
    spinning_threads,  # busy loop
    short_calls,  # busy loop
    asks_again,  # busy loop
    ticking_callbacks,  # busy loop
    awaits_in_turn,
    one_at_a_time,  # awaits in turn
    tiny_jobs,  # awaits in turn
    manager_asked,  # awaits in turn
    calls_one_by_one,  # awaits in turn
    slow_consumer,
    slow_reader,  # slow consumer
    no_time_for_messages,  # slow consumer
    pool_starvation,  # thread-pool starvation
    runner_findings,  # thread-pool starvation
    failed_server,  # wait in vain
    failed_thread,  # wait in vain
    unanswered_call,  # wait in vain
    jobs_in_queue,  # thread-pool starvation
    lock_of_the_killed,  # slots never returned
    ended_party,  # slots never returned, wait in vain
    slot_findings,  # pool exhausted, slots never returned
    polled_slots,  # pool exhausted
    relayed,  # pool exhausted
    serves_in_turn,  # pool exhausted
    forking_server_full,  # pool exhausted
    one_server,  # pool exhausted
    servers_busy,  # pool exhausted
    too_busy_to_accept,  # pool exhausted
    stalled_pool,  # deadlock
    stalled_takers,  # deadlock
    slow_import,  # lock convoy; after knots, which tell the circles
    slow_start,
    slow_start_up,  # slow start
    slow_end,
    slow_stop,  # slow end
    slow_close,  # slow end
    outlived_time_out,  # wait in vain
    late_time_out,  # wait in vain
    overstayed,  # wait in vain
    refused_cancel,  # wait in vain
    late_jobs,  # pool exhausted
    woke_one_of_many,  # missed wake-up
    put_off,  # missed wake-up
    put_off_for_all,  # missed wake-up
    locks_left_by_forks,  # deadlock
    vain_findings,  # missed wake-up, wait in vain
    slow_party,  # uneven workers
    no_producer,  # wait in vain
    forgotten_task,  # wait in vain
    left_pipes,  # wait in vain
    late_output,  # wait in vain
    no_start,  # wait in vain
    stuck_children,  # wait in vain
    swallowed_cancel,  # wait in vain
    slow_clean_up,  # wait in vain
    close_in_vain,  # wait in vain
    body_never_came,  # wait in vain
    no_answer,  # wait in vain
    lost_answers,  # wait in vain
    time_outs,
    cancelled_for_all,  # wait in vain
    nobody_reads,  # wait in vain
    writer_gone,  # wait in vain
    standing_still,  # deadlock, full pipe, wait in vain
    killed_child,  # wait in vain
    replaced_worker,  # wait in vain
    database_locked,
    server_lock,  # database locked, deadlock
    retried_transaction,  # database locked
    busy_time_out,  # database locked
    slow_answer,
    held_up,  # slow answer
    held_back,  # slow answer
    straggler,  # slow answer
    late_answers,  # slow answer
    in_rounds,  # slow answer
    long_retries,  # retries
    connects_at_once,  # busy loop
    slow_connects,  # wait in vain, slow answer
    new_connections,
    last_child,  # slow answer, uneven workers
    slow_reader_of_several,  # slow client
    stands_at_one_client,  # slow client
    polled_pipes,  # full pipe
    outside_findings,  # handshake in accept, slow client, full pipe
    too_many_workers,
    workers_never_exit,
    executors_pile_up,  # workers never exit
    pollers_pile_up,  # workers never exit
    readers_pile_up,  # workers never exit
    processes_pile_up,  # workers never exit
    children_pile_up,  # workers never exit
    descriptors_pile_up,
    queue_grows,
    timers_pile_up,
    jobs_pile_up,  # queue grows
    gil_hog,
    gil_saturated,
    gc_in_hot_path,
    slow_finalisers,  # GC in the hot path
    memory_grows,  # growing global
    memory_findings,  # growing global, garbage …, built and thrown away
    process_findings,  # uneven workers, pickling, idle workers, pool too large
    starved_workers,  # idle workers
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
    "time-outs",
    "timers pile up",
    "too many workers",
    "uneven workers",
    "wait in vain",
    "workers never exit",
)


def find(facts: Facts) -> tuple[Finding, ...]:
    """All findings, the most expensive first; what no known fault explains comes last."""
    fit = fitting(facts)
    known = across(facts, (finding for one in fit for finding in one.load()(facts)))
    return (*in_order(known), *across(facts, _unexplained(facts, known)))


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
