"""Traces of one shape each, at any size: what could make an analysis look at all with all."""

from collections.abc import Callable

from tests.support.builder.family import Family
from tests.support.builder.trace import TraceBuilder
from tests.support.stories.shapes import (
    of_processes,
    of_services,
    of_signals,
    of_tasks,
    of_threads,
)

type Shape = Callable[[int], TraceBuilder | Family]

SHAPES: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (
        of_tasks.tasks_ready_at_once,
        of_tasks.coroutines_ready_at_once,
        of_threads.many_locks,
        of_threads.convoy,
        of_threads.threads_at_once,
        of_threads.short_threads,
        of_tasks.short_tasks,
        of_tasks.many_loops,
        of_tasks.many_loop_threads,
        of_tasks.collections,
        of_tasks.nested_steps,
        of_threads.nested_waits,
        of_tasks.lock_behind_awaits,
        of_tasks.blocking_calls,
        of_threads.deep_stacks,
        of_threads.samples,
        of_threads.dropped,
        of_threads.wakers,
        of_tasks.regions,
        of_tasks.pool,
        of_tasks.leak,
        of_threads.deadlocks,
        of_processes.children,
        of_processes.siblings,
        of_processes.jobs,
        of_services.patient_task,
        of_services.wide_gather,
        of_services.failing_tasks,
        of_services.callbacks,
        of_services.thread_jobs,
        of_services.unbegun_jobs,
        of_services.unbegun_processes,
        of_services.call_sites,
        of_services.timeouts,
        of_services.queues,
        of_services.processes,
        of_services.waiters,
        of_signals.exceptions,
        of_signals.failing_calls,
        of_signals.error_responses,
        of_signals.nested_nurseries,
        of_signals.named_regions,
        of_signals.conditions,
        of_signals.cut_short,
        of_signals.programs,
        of_signals.queue_lengths,
        of_signals.blocks,
    )
}
