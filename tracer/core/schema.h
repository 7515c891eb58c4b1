/* tracer/schema.py for C: the same names and numbers. tests/unit/core/test_schema.py compares. */
#ifndef TRACER_SCHEMA_H
#define TRACER_SCHEMA_H

/* Numbers: X(name, value) */
#define SCHEMA_NUMBERS(X)                 \
    X(VERSION, 1)                         \
    X(CLOCK_REALTIME_ID, 1)               \
    X(CLOCK_MONOTONIC_ID, 3)              \
    X(CLOCK_BOOTTIME_ID, 6)               \
    X(CLOCK_DELTA, 64)                    \
    X(TYPE_SLICE_BEGIN, 1)                \
    X(TYPE_SLICE_END, 2)                  \
    X(TYPE_INSTANT, 3)                    \
    X(TYPE_COUNTER, 4)                    \
    X(FLAG_STATE_CLEARED, 1)              \
    X(ORDER_LEXICOGRAPHIC, 1)             \
    X(ORDER_CHRONOLOGICAL, 2)             \
    X(ORDER_EXPLICIT, 3)                  \
    X(MERGE_NONE, 2)                      \
    X(TRACE_PACKET, 1)                    \
    X(PACKET_CLOCK_SNAPSHOT, 6)           \
    X(PACKET_TIMESTAMP, 8)                \
    X(PACKET_SEQUENCE_ID, 10)             \
    X(PACKET_TRACK_EVENT, 11)             \
    X(PACKET_INTERNED_DATA, 12)           \
    X(PACKET_SEQUENCE_FLAGS, 13)          \
    X(PACKET_CLOCK_ID, 58)                \
    X(PACKET_DEFAULTS, 59)                \
    X(PACKET_TRACK_DESCRIPTOR, 60)        \
    X(PACKET_PERF_SAMPLE, 66)             \
    X(DEFAULTS_PERF_SAMPLE, 12)           \
    X(PERF_DEFAULTS_TIMEBASE, 1)          \
    X(TIMEBASE_FREQUENCY, 2)              \
    X(TIMEBASE_COUNTER, 4)                \
    X(TIMEBASE_NAME, 10)                  \
    X(COUNTER_CPU_CLOCK, 1)               \
    X(PERF_PID, 2)                        \
    X(PERF_TID, 3)                        \
    X(PERF_CALLSTACK, 4)                  \
    X(PERF_CPU_MODE, 5)                   \
    X(CPU_MODE_USER, 2)                   \
    X(INTERNED_FUNCTION_NAMES, 5)         \
    X(INTERNED_FRAMES, 6)                 \
    X(INTERNED_CALLSTACKS, 7)             \
    X(INTERNED_MAPPING_PATHS, 17)         \
    X(INTERNED_SOURCE_PATHS, 18)          \
    X(INTERNED_MAPPINGS, 19)              \
    X(MAPPING_PATH_IDS, 7)                \
    X(FRAME_FUNCTION_ID, 2)               \
    X(FRAME_MAPPING_ID, 3)                \
    X(FRAME_REL_PC, 4)                    \
    X(FRAME_SOURCE_PATH, 5)               \
    X(FRAME_LINE, 6)                      \
    X(CALLSTACK_FRAME_IDS, 2)             \
    X(SEQUENCE_SAMPLES, 2)                \
    X(DEFAULTS_TRACK_EVENT, 11)           \
    X(DEFAULTS_CLOCK_ID, 58)              \
    X(EVENT_DEFAULTS_TRACK_UUID, 11)      \
    X(SNAPSHOT_CLOCKS, 1)                 \
    X(SNAPSHOT_PRIMARY, 2)                \
    X(CLOCK_ID, 1)                        \
    X(CLOCK_TIMESTAMP, 2)                 \
    X(CLOCK_IS_INCREMENTAL, 3)            \
    X(INTERNED_CATEGORIES, 1)             \
    X(INTERNED_EVENT_NAMES, 2)            \
    X(INTERNED_ANNOTATION_NAMES, 3)       \
    X(INTERNED_ANNOTATION_STRINGS, 29)    \
    X(INTERNED_IID, 1)                    \
    X(INTERNED_NAME, 2)                   \
    X(EVENT_CATEGORY_IIDS, 3)             \
    X(EVENT_ANNOTATIONS, 4)               \
    X(EVENT_TYPE, 9)                      \
    X(EVENT_NAME_IID, 10)                 \
    X(EVENT_TRACK_UUID, 11)               \
    X(EVENT_NAME, 23)                     \
    X(EVENT_COUNTER_VALUE, 30)            \
    X(EVENT_DOUBLE_COUNTER_VALUE, 44)     \
    X(EVENT_FLOW_IDS, 47)                 \
    X(EVENT_TERMINATING_FLOW_IDS, 48)     \
    X(ANNOTATION_NAME_IID, 1)             \
    X(ANNOTATION_BOOL, 2)                     \
    X(ANNOTATION_UINT, 3)                 \
    X(ANNOTATION_INT, 4)                  \
    X(ANNOTATION_DOUBLE, 5)               \
    X(ANNOTATION_STRING, 6)               \
    X(ANNOTATION_NAME, 10)                \
    X(ANNOTATION_STRING_IID, 17)          \
    X(TRACK_UUID, 1)                      \
    X(TRACK_NAME, 2)                      \
    X(TRACK_PROCESS, 3)                   \
    X(TRACK_THREAD, 4)                    \
    X(TRACK_PARENT_UUID, 5)               \
    X(TRACK_COUNTER, 8)                   \
    X(TRACK_CHILD_ORDERING, 11)           \
    X(TRACK_SIBLING_RANK, 12)             \
    X(TRACK_SIBLING_MERGE, 15)            \
    X(PROCESS_PID, 1)                     \
    X(PROCESS_CMDLINE, 2)                 \
    X(PROCESS_NAME, 6)                    \
    X(THREAD_PID, 1)                      \
    X(THREAD_TID, 2)                      \
    X(THREAD_NAME, 5)                     \
    X(STACK_BYTES, 4096)                  \
    X(OWN_TRACK_TASKS, 256)

/* Track names, not interned: X(name, text) */
#define SCHEMA_TRACKS(X)                          \
    X(TRACK_TRACER, "tracer")                     \
    X(TRACK_GC, "GC")                             \
    X(TRACK_RUNNING_TASK, "running task")         \
    X(TRACK_READY_QUEUE, "ready queue length")    \
    X(TRACK_TASKS, "Tasks")                       \
    X(TRACK_LOCKS, "Locks")                   \
    X(TRACK_USER, "user")                     \
    X(TRACK_OPERATIONS, "Operations")         \
    X(TRACK_USER_COUNTERS, "user counters")   \
    X(TRACK_QUEUES, "Queues")                 \
    X(QUEUE_PREFIX, "queue ")                 \
    X(TIMERS_PENDING_PREFIX, "timers pending ") \
    X(TIMERS_CANCELLED_PREFIX, "timers cancelled ") \
    X(UNSENT_PREFIX, "unsent bytes ")         \
    X(TRACK_JOBS, "jobs")                     \
    X(COUNTER_WAITERS, "waiters")             \
    X(COUNTER_RUN_DELAY, "run_delay_ns")      \
    X(COUNTER_CPU, "cpu_ns")                  \
    X(LOCK_WAIT_PREFIX, "lock wait: ")        \
    X(IO_PREFIX, "io: ")                      \
    X(TRACK_LOOP_PREFIX, "asyncio loop @")        \
    X(TRACK_GREENLETS_PREFIX, "greenlets @")      \
    X(TRACK_TRIO_PREFIX, "trio @")                \
    X(TRACK_TWISTED_PREFIX, "twisted @")          \
    X(COUNTER_TASKS, "tasks")                     \
    X(COUNTER_THREADS, "threads")                 \
    X(COUNTER_RSS, "rss_bytes")                   \
    X(COUNTER_FILES, "open_files")                \
    X(TRACK_HEAP, "heap")                         \
    X(COUNTER_HEAP_LIVE, "heap live")             \
    X(COUNTER_ALLOCATION_RATE, "allocation rate") \
    X(AWAIT_PREFIX, "await ")                     \
    X(AWAIT_TASK_PREFIX, "await task ")           \
    X(AWAIT_GREENLET_PREFIX, "await greenlet ")   \
    X(FAILED_PREFIX, "failed: ")                  \
    X(GC_PREFIX, "GC gen")                        \
    X(TIMEBASE_CPU, "cpu")                        \
    X(MAPPING_PYTHON, "python")                   \
    X(FRAME_TRUNCATED, "[truncated]")             \
    X(FRAME_BROKEN, "[unknown callers]")          \
    X(FRAME_FOREIGN, "[no Python]")               \
    X(FRAME_UNSAMPLED, "[unsampled]")             \
    X(FRAME_LOST, "[lost samples]")

/* Interned in every chunk's head, iid = position from 1: X(name, text) */
#define SCHEMA_CATEGORIES(X)      \
    X(CAT_TASK, "task")           \
    X(CAT_LIFETIME, "lifetime")   \
    X(CAT_LOOP, "loop")           \
    X(CAT_THREAD, "thread")       \
    X(CAT_GIL, "gil")                         \
    X(CAT_LOCK, "lock")                       \
    X(CAT_IO, "io")                           \
    X(CAT_SLEEP, "sleep")                     \
    X(CAT_HOLD, "hold")                       \
    X(CAT_USER, "user")                       \
    X(CAT_OPERATION, "operation")             \
    X(CAT_JOB, "job")                         \
    X(CAT_MESSAGE, "message")                 \
    X(CAT_GC, "gc")               \
    X(CAT_TRACER, "tracer")

#define SCHEMA_NAMES(X)                         \
    X(READY, "ready")                           \
    X(RUNNING, "running")                       \
    X(SELECT, "select")                         \
    X(LOOP_STARTED, "loop started")             \
    X(LOOP_STOPPED, "loop stopped")             \
    X(DONE, "done")                             \
    X(CANCELLED, "cancelled")                   \
    X(DESTROYED, "destroyed")                   \
    X(LOOP_CLOSED, "loop closed")               \
    X(THREAD_START, "start")                    \
    X(THREAD_STARTED, "started")                \
    X(THREAD_EXIT, "exited")                    \
    X(ATTACHED, "attached")                     \
    X(NATIVE, "native")                       \
    X(PREEMPTED, "preempted")                 \
    X(OFF_CPU, "off cpu")                     \
    X(GIL_WAIT, "GIL wait")                   \
    X(SLEEP, "sleep")                         \
    X(RELEASE, "release")                     \
    X(WAKE, "wake")                             \
    X(SUBMIT, "submit")                         \
    X(RUN, "run")                               \
    X(FORK, "fork")                             \
    X(SPAWN, "spawn")                           \
    X(CHILD_ENDED, "child ended")               \
    X(SIGNAL_SENT, "signal sent")               \
    X(RAISED, "raised")                         \
    X(ERROR_RESPONSE, "error response")         \
    X(CHILD_UNREAPED, "child not waited for")   \
    X(PROCESS_STARTED, "process started")       \
    X(PROCESS_NAMED, "process named")           \
    X(JOB_SENT, "job sent")                     \
    X(RESULT_SENT, "result sent")               \
    X(RESULT_RECEIVED, "result received")       \
    X(MESSAGE_SENT, "message sent")             \
    X(MESSAGE_RECEIVED, "message received")     \
    X(ACCEPTED_LATE, "accepted late")           \
    X(ENTERED_FIRST, "job entered first")       \
    X(PRINTED, "first text printed")            \
    X(UNASKED, "exception never retrieved")     \
    X(REFUSED, "cancel without effect")         \
    X(RECORDING, "recording")                   \
    X(RECORDING_ENDED, "recording ended")       \
    X(RECORDING_CUT, "recording cut")           \
    X(SNAPSHOT, "snapshot")                     \
    X(EXEC, "exec")                             \
    X(EXEC_FAILED, "exec failed")               \
    X(HOOK_DISABLED, "hook disabled")           \
    X(EVENTS_DROPPED, "events dropped")         \
    X(NOTE, "note")                             \
    X(STACKS_MARKED, "stacks marked")           \
    X(THREAD_STACK, "stack")

#define SCHEMA_ARGS(X)                      \
    X(ARG_TASK, "task")                     \
    X(ARG_NAME, "name")                     \
    X(ARG_CORO, "coro")                     \
    X(ARG_SITE, "site")                     \
    X(ARG_PARENT, "parent")                 \
    X(ARG_WAKER, "waker")                   \
    X(ARG_WAKER_TASK, "waker_task")         \
    X(ARG_WAKER_THREAD, "waker_thread")     \
    X(ARG_VIA, "via")                       \
    X(ARG_HOLDER, "holder")                   \
    X(ARG_HOLDER_NAME, "holder_name")         \
    X(ARG_LOCK, "lock")                       \
    X(ARG_KIND, "kind")                       \
    X(ARG_OWNER, "owner")                     \
    X(ARG_OWNER_NAME, "owner_name")           \
    X(ARG_OWNER_TASK, "owner_task")           \
    X(ARG_OWNER_SITE, "owner_site")           \
    X(ARG_ACQUIRED, "acquired")               \
    X(ARG_SINCE_BEFORE, "since_before")       \
    X(ARG_FD, "fd")                           \
    X(ARG_PATH, "path")                       \
    X(ARG_PEER, "peer")                       \
    X(ARG_OWN_PEER, "own_peer")               \
    X(ARG_LOCK_PID, "lock_pid")               \
    X(ARG_LOCK_PROGRAM, "lock_program")       \
    X(ARG_PORT, "port")                       \
    X(ARG_HOLDING_GIL, "holding_gil")         \
    X(ARG_CONTINUES, "continues")             \
    X(ARG_OPERATION, "operation")             \
    X(ARG_EXCEPTION, "exception")             \
    X(ARG_OMITTED, "omitted")                 \
    X(ARG_STACK, "stack")                     \
    X(ARG_GENERATION, "generation")         \
    X(ARG_COLLECTED, "collected")           \
    X(ARG_UNCOLLECTABLE, "uncollectable")   \
    X(ARG_EXPLICIT, "explicit")             \
    X(ARG_TID, "tid")                       \
    X(ARG_SCHEMA, "schema")                 \
    X(ARG_PYTHON, "python")                 \
    X(ARG_ARGV, "argv")                     \
    X(ARG_SIGNALS, "signals")               \
    X(ARG_CLOCK, "clock")                   \
    X(ARG_HOOK, "hook")                     \
    X(ARG_REASON, "reason")                 \
    X(ARG_COUNT, "count")                   \
    X(ARG_SINCE, "since_ns")                \
    X(ARG_SOONER, "sooner_ns")              \
    X(ARG_TIMED_OUT, "timed_out")           \
    X(ARG_UNTIL, "until_ns")                \
    X(ARG_ERRNO, "errno")                   \
    X(ARG_EVENTS, "events")                 \
    X(ARG_DROPPED, "dropped")               \
    X(ARG_BYTES, "bytes")                   \
    X(ARG_OVERHEAD, "overhead_ns")          \
    X(ARG_LATE, "late")                     \
    X(ARG_CHILD, "child")                   \
    X(ARG_COMMAND, "command")               \
    X(ARG_FAMILY, "family")                 \
    X(ARG_ORIGIN, "origin")                 \
    X(ARG_PARENT_PID, "parent_pid")         \
    X(ARG_FOLLOWED, "followed")             \
    X(ARG_STATUS, "status")                 \
    X(ARG_SIGNAL, "signal")                 \
    X(ARG_POOL, "pool")                     \
    X(ARG_JOB, "job")                       \
    X(ARG_PICKLING, "pickling_ns")          \
    X(ARG_SENDING, "sending_ns")            \
    X(ARG_PIPE, "pipe")                     \
    X(ARG_MESSAGE, "message")               \
    X(ARG_THRESHOLD, "threshold_ns")        \
    X(ARG_HOLDERS, "holders")               \
    X(ARG_SLOTS, "slots")                   \
    X(ARG_BEGAN, "began_ns")                \
    X(ARG_ASKED, "asked_ns")                \
    X(ARG_TRIGGER, "trigger")

/* Of the signal `heap`: interned after the others, in the chunks that have such events. */
#define SCHEMA_HEAP_CATEGORIES(X) X(CAT_HEAP, "heap")
#define SCHEMA_HEAP_NAMES(X) X(SAMPLING, "sampling") X(ALLOC, "alloc") X(FREE, "free") X(STILL_RUNS, "still runs") \
    X(SAMPLING_ENDED, "sampling ended")
#define SCHEMA_HEAP_ARGS(X) X(ARG_BLOCK, "block") X(ARG_MEAN_BYTES, "mean_bytes") \
    X(ARG_CALL, "call") X(ARG_RETURNED, "returned") X(ARG_RESIZED, "resized") \
    X(ARG_FREED_BYTES, "freed_bytes")

#define SCHEMA_ENUM_NUMBER(name, value) SCHEMA_##name = value,
#define SCHEMA_ENUM_NAME(name, text) SCHEMA_##name,
enum { SCHEMA_NUMBERS(SCHEMA_ENUM_NUMBER) };
enum schema_category { SCHEMA_CATEGORY_NONE, SCHEMA_CATEGORIES(SCHEMA_ENUM_NAME)
    SCHEMA_HEAP_CATEGORIES(SCHEMA_ENUM_NAME) SCHEMA_CATEGORY_END };
enum schema_name { SCHEMA_NAME_NONE, SCHEMA_NAMES(SCHEMA_ENUM_NAME)
    SCHEMA_HEAP_NAMES(SCHEMA_ENUM_NAME) SCHEMA_NAME_END };
enum schema_arg { SCHEMA_ARG_NONE, SCHEMA_ARGS(SCHEMA_ENUM_NAME)
    SCHEMA_HEAP_ARGS(SCHEMA_ENUM_NAME) SCHEMA_ARG_END };

#define SCHEMA_TEXT(name, text) static const char SCHEMA_TEXT_##name[] __attribute__((unused)) = text;
SCHEMA_TRACKS(SCHEMA_TEXT)
#undef SCHEMA_TEXT

#endif
