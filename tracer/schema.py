"""The contract between recorder and reader: every name, number and id a trace is made of.

It is pure data and imports nothing, so both rooms can read it. `core/schema.h` mirrors it
for C, and `tests/unit/core/test_schema.py` holds the two equal. Change the meaning of anything
here only together with VERSION, which every trace carries.
"""

VERSION = 1

# Track names ---------------------------------------------------------------------------
TRACK_TRACER = "tracer"  # process track: what the recorder says about itself
TRACK_GC = "GC"  # process track: every collection, whichever thread ran it
TRACK_RUNNING_TASK = "running task"  # one per event loop: what the loop executes
TRACK_READY_QUEUE = "ready queue length"  # one per event loop: counter
TRACK_TASKS = "Tasks"  # one per event loop: parent of the task tracks and lanes
TRACK_LOOP_PREFIX = "asyncio loop @"  # + thread name: parent of the three above …
TRACK_GREENLETS_PREFIX = "greenlets @"  # … where greenlets are the tasks …
TRACK_TRIO_PREFIX = "trio @"  # … or trio runs them …
TRACK_TWISTED_PREFIX = "twisted @"  # … or Twisted's reactor
LOOP_PREFIXES = (
    TRACK_LOOP_PREFIX,
    TRACK_GREENLETS_PREFIX,
    TRACK_TRIO_PREFIX,
    TRACK_TWISTED_PREFIX,
)
TRACK_LOCKS = "Locks"  # process track: parent of the contended locks
TRACK_USER = "user"  # child of a thread or task: the program's own events
TRACK_OPERATIONS = "Operations"  # process track: parent of the lanes of tracer.task
TRACK_USER_COUNTERS = "user counters"  # process track: parent of tracer.counter's
TRACK_JOBS = "jobs"  # process track: what a worker of a pool of processes runs
TRACK_QUEUES = "Queues"  # process track: parent of the counters of queues
# A queue's length: + the lock of the waits for its items, a blank, and the line of the first.
QUEUE_PREFIX = "queue "
# Counters there, too: "timers pending LOOP FUNCTION SITE", those of a loop that call this
# function, and where one was set; "timers cancelled 0 FUNCTION SITE", how many so far.
TIMERS_PENDING_PREFIX = "timers pending "
TIMERS_CANCELLED_PREFIX = "timers cancelled "
# "unsent bytes NUMBER SITE": of a transport that this line writes on to though it is full.
UNSENT_PREFIX = "unsent bytes "
COUNTER_WAITERS = "waiters"  # per contended lock: who waits for it
COUNTER_RUN_DELAY = "run_delay_ns"  # per thread, cumulative: runnable but not on a CPU
COUNTER_CPU = "cpu_ns"  # per thread, cumulative: on a CPU
COUNTER_TASKS = "tasks"  # per process: live tasks
COUNTER_THREADS = "threads"  # per process: live threads
COUNTER_RSS = "rss_bytes"  # per process: resident set size
COUNTER_FILES = "open_files"  # per process: open descriptors (Linux 6.2 or later)
TRACK_HEAP = "heap"  # process track: sampled allocations
COUNTER_HEAP_LIVE = "heap live"  # per process: bytes allocated since the start and not freed
COUNTER_ALLOCATION_RATE = "allocation rate"  # per process: bytes per second

# Categories ----------------------------------------------------------------------------
CAT_TASK = "task"  # the state slices of a task: ready, running, await …
CAT_LIFETIME = "lifetime"  # a whole task, around its state slices, on a merged lane
CAT_LOOP = "loop"  # what a loop runs: tasks, callbacks, select
CAT_THREAD = "thread"  # a thread's states running, attached, native, preempted …; its instants
CAT_GIL = "gil"  # a thread's state GIL wait
CAT_LOCK = "lock"  # a thread's state lock wait: …; instant release
CAT_IO = "io"  # a thread's state io: …
CAT_SLEEP = "sleep"  # a thread's state sleep
CAT_HOLD = "hold"  # who holds a contended lock, on the lock's track
CAT_USER = "user"  # the program's own: regions (slices) and logs (instants)
CAT_OPERATION = "operation"  # the program's own: tracer.task, on a lane below Operations
CAT_JOB = "job"  # a pool of processes: from submit to result
CAT_MESSAGE = "message"  # what a thread waited for and another process wrote
CAT_GC = "gc"
CAT_HEAP = "heap"
CAT_TRACER = "tracer"

# Slice and instant names ---------------------------------------------------------------
READY = "ready"
RUNNING = "running"
AWAIT_PREFIX = "await "  # + "sleep", "Lock", "Queue.get", "socket", "task NAME", "future" …
AWAIT_TASK_PREFIX = "await task "  # + the awaited task's name
AWAIT_GREENLET_PREFIX = "await greenlet "  # … of a greenlet
# What is waited for inside installed packages, "await query (asyncpg)": a slot of a pool; what
# others of this program do; somebody outside; whoever calls a service, when he likes.
LIBRARY_POOL = "connection pool"
LIBRARY_INSIDE = ("executor", "lock", "rate limit")
LIBRARY_OUTSIDE = ("body", "close", "command", "connect", "DNS", "query", "response", "send")
LIBRARY_CALLERS = ("message", "request")
DONE = "done"  # instant at a task's end …
CANCELLED = "cancelled"
FAILED_PREFIX = "failed: "  # + exception class
DESTROYED = "destroyed"  # … garbage-collected while still pending
LOOP_CLOSED = "loop closed"  # … still pending when its loop was closed: it can never run again
SELECT = "select"  # the loop polls or idles
LOOP_STARTED = "loop started"  # instant on the track `running task`: the loop runs from here …
LOOP_STOPPED = "loop stopped"  # … to here; between two runs nobody expects an answer
THREAD_START = "start"  # instant on the starter's thread, flow to …
THREAD_STARTED = "started"  # … the new thread's first instant
THREAD_EXIT = "exited"
THREAD_STACK = "stack"  # instant: where the thread is at this moment, on request …
ATTACHED = "attached"  # thread, without a GIL: may run Python, and no call is known to block
NATIVE = "native"  # thread: GIL released, computing
PREEMPTED = "preempted"  # thread: the kernel gave its CPU to another
OFF_CPU = "off cpu"  # thread: not on a CPU for an unknown reason
GIL_WAIT = "GIL wait"
LOCK_WAIT_PREFIX = "lock wait: "  # + kind: "Lock", "Condition.wait", "Queue.get" …
IO_PREFIX = "io: "  # + callable: "socket.recv", "select.epoll.poll", libc's "poll" …
SLEEP = "sleep"
RELEASE = "release"  # instant on the thread that releases a contended lock, flow to the waiter
# Instants, on the thread outside any step; inside a step whose slice is written already, on
# the loop's track:
WAKE = "wake"  # woke a task, or scheduled a callback
SUBMIT = "submit"  # submitted a job to an executor, flow to …
RUN = "run"  # … the instant on the thread that runs it
# Instants on a thread that started a process:
FORK = "fork"  # a copy of the program
SPAWN = "spawn"  # another program, or another Python
CHILD_ENDED = "child ended"  # instant on the thread that waited for it
SIGNAL_SENT = "signal sent"  # instant: to another process, by os.kill or what calls it
# Instants on the thread: an `exception` that may be a failure reached the program's code; an
# answer to a request of the program had an HTTP `status` that is an error.
RAISED = "raised"
ERROR_RESPONSE = "error response"
CHILD_UNREAPED = "child not waited for"  # instant: it has ended, nobody has waited for it yet
PROCESS_STARTED = "process started"  # instant on a child's first thread, flow from its parent
# Jobs of a pool of processes, besides `submit` and the slice named by the function:
JOB_SENT = "job sent"  # instant: written into the pipe
RESULT_SENT = "result sent"  # instant in the worker, flow to …
RESULT_RECEIVED = "result received"  # … the instant in the process that asked for it
# Messages between processes that somebody waited for:
MESSAGE_SENT = "message sent"  # instant on the thread that wrote it, flow to …
MESSAGE_RECEIVED = "message received"  # … the instant on the thread that had waited
# Instant on the thread that accepted a connection: its first request, or it itself, had come
# at `since_ns`, to a tick of the kernel, and nobody had been there.
ACCEPTED_LATE = "accepted late"
ENTERED_FIRST = "job entered first"  # instant: in a sched.scheduler, before those it had
PRINTED = "first text printed"  # instant: for a standard output that is a pipe
# Instants on the thread that saw it, of a `task`: it had failed with an `exception` for which
# nobody has asked; a cancel scope around its wait was cancelled, and the wait goes on.
UNASKED = "exception never retrieved"
REFUSED = "cancel without effect"
GC_PREFIX = "GC gen"  # + generation
# Instants on the track `heap`:
SAMPLING = "sampling"  # from here on, allocations are sampled
ALLOC = "alloc"  # a sampled block was allocated …
FREE = "free"  # … and freed
STILL_RUNS = "still runs"  # at the end: a call that made sampled blocks has not returned
SAMPLING_ENDED = "sampling ended"  # … and there are no others

# Instants of the tracer track
RECORDING = "recording"  # first event of every trace
RECORDING_ENDED = "recording ended"  # last event; absent when the program was killed
RECORDING_CUT = "recording cut"  # last event instead: the file could not be written any more
PROCESS_NAMED = "process named"  # what the program calls it
SNAPSHOT = "snapshot"  # why the trace of the last seconds was taken: the last one of a file
EXEC = "exec"  # last event when the process became another program …
EXEC_FAILED = "exec failed"  # … unless this follows
HOOK_DISABLED = "hook disabled"
EVENTS_DROPPED = "events dropped"
NOTE = "note"
STACKS_MARKED = "stacks marked"  # … and after all of them: `count`

ORIGINS = ("run", "fork", "spawn", "forkserver", "exec")  # how a process came to be

# CPU samples ---------------------------------------------------------------------------
TIMEBASE_CPU = "cpu"  # a sample counts periods of the thread's CPU clock
MAPPING_PYTHON = "python"  # the one mapping all frames lie in
FRAME_TRUNCATED = "[truncated]"  # outermost frame of a stack deeper than 128; of a cut `stack`
FRAME_BROKEN = "[unknown callers]"  # outermost frame of a stack that could not be walked
FRAME_FOREIGN = "[no Python]"  # a thread without Python code, or of a subinterpreter
FRAME_UNSAMPLED = "[unsampled]"  # CPU time of a thread that the signal does not reach
FRAME_LOST = "[lost samples]"  # no room, or no names

# Argument names (debug annotations) ----------------------------------------------------
ARG_TASK = "task"  # uint: id, unique in the process, never reused
ARG_NAME = "name"  # str: task name; again on a later slice when it changes
ARG_CORO = "coro"  # str: qualified name of the coroutine function
ARG_SITE = "site"  # str: "file:line function"
ARG_PARENT = "parent"  # uint: task id of the creator; for an operation, the one around it
ARG_WAKER = "waker"  # str on `ready`: "timer" or "io" …
ARG_WAKER_TASK = "waker_task"  # … or uint: the task id that woke it …
ARG_WAKER_THREAD = "waker_thread"  # … or uint: the tid that woke it
ARG_VIA = "via"  # str: the callback through which the wake came
ARG_HOLDER = "holder"  # uint on `GIL wait`: tid of the holder when the wait began
ARG_HOLDER_NAME = "holder_name"
ARG_LOCK = "lock"  # uint: id of a lock, equal for its waits and holds
ARG_BEGAN = "began_ns"  # uint on `recording`: of a flight recording, which it began then
ARG_ASKED = "asked_ns"  # uint on `snapshot`: how far back it was to reach
ARG_TRIGGER = (
    "trigger"  # str on `snapshot`: the condition that was met, from since_ns to until_ns
)
ARG_SLOTS = "slots"  # uint on a wait for a pool: how many may use it at once; absent: unknown
ARG_HOLDERS = "holders"  # str on a task's wait: who has the slots, "name (task), …"
ARG_KIND = "kind"  # str on a hold: "Lock", "RLock", "asyncio.Lock" …
ARG_OWNER = "owner"  # uint: tid of the holder when the wait began; absent: unknown
ARG_OWNER_NAME = "owner_name"
ARG_OWNER_TASK = "owner_task"  # uint: task id, for asyncio's locks
ARG_OWNER_SITE = "owner_site"  # str: where the owner acquired it
ARG_ACQUIRED = "acquired"  # bool, at the end of the wait: False = timed out
ARG_SINCE_BEFORE = "since_before"  # bool on a hold: it began earlier, before anybody waited
ARG_FD = "fd"
ARG_PATH = "path"
ARG_PEER = "peer"
ARG_OWN_PEER = "own_peer"  # bool, at the end: the peer is a server in this very process
ARG_LOCK_PID = (
    "lock_pid"  # uint, at the end of a wait for a lock file: who had it, when looked
)
ARG_LOCK_PROGRAM = "lock_program"  # str: the name that the kernel has of that process
ARG_PORT = "port"  # uint on `accepted late`: the server's
ARG_HOLDING_GIL = "holding_gil"  # bool: the thread holds the GIL meanwhile
ARG_CONTINUES = "continues"  # bool: another piece of the previous call or region
ARG_OPERATION = "operation"  # uint: id of the tracer.task that a region or log is part of
ARG_EXCEPTION = "exception"  # str at the end of a region: class of the exception that left it
ARG_OMITTED = "omitted"  # uint: the program's arguments that had no room
ARG_STACK = "stack"  # str: lines "file:line function", innermost first: of the waiter; on
# `ready` of the waker; at the end of a hold of the release
ARG_GENERATION = "generation"
ARG_COLLECTED = "collected"
ARG_UNCOLLECTABLE = "uncollectable"
ARG_EXPLICIT = "explicit"  # bool: gc.collect() was called, at `site`; absent: it was not
ARG_TID = "tid"
ARG_SCHEMA = "schema"
ARG_PYTHON = "python"
ARG_ARGV = "argv"
ARG_SIGNALS = "signals"  # str: comma-separated list of the recorded signals
ARG_CLOCK = "clock"  # str: "tsc" or "monotonic"
ARG_HOOK = "hook"
ARG_REASON = "reason"
ARG_COUNT = "count"
ARG_SINCE = "since_ns"
ARG_SOONER = "sooner_ns"  # … than the one that was first before
ARG_TIMED_OUT = "timed_out"  # bool, of a wait for descriptors: none was ready in its time
ARG_UNTIL = "until_ns"  # on `recording cut`: when the recording ended, absent if it did not
ARG_ERRNO = "errno"  # on `recording cut`: of the write that failed
ARG_EVENTS = "events"
ARG_DROPPED = "dropped"
ARG_BYTES = "bytes"
ARG_OVERHEAD = "overhead_ns"  # CPU time of the writer thread
ARG_CHILD = "child"  # uint on `fork` and `spawn`: the child's pid; absent: unknown
ARG_COMMAND = "command"  # str on `spawn`: "python -m uvicorn", "git": no other arguments
ARG_FAMILY = "family"  # uint on `recording`: one number for all processes of a run
ARG_ORIGIN = "origin"  # str on `recording`: one of ORIGINS
ARG_PARENT_PID = "parent_pid"  # uint on `recording`: who started it; absent on the first
ARG_FOLLOWED = "followed"  # bool on `fork`, `spawn`, `exec`: the child is to record itself
ARG_BLOCK = "block"  # uint: number of a sampled block, unique in the process
ARG_MEAN_BYTES = "mean_bytes"  # uint on `sampling`: bytes from one sample to the next
ARG_CALL = "call"  # uint on `alloc`: number of the call whose line made it; absent: unknown
ARG_RETURNED = "returned"  # bool on `free`: that call had returned; absent: unknown
ARG_RESIZED = "resized"  # bool on `free`: a larger or smaller block took its place
ARG_FREED_BYTES = "freed_bytes"  # uint on the end of a collection: an estimate
# uint on `error response`: of HTTP; on `child ended` and, if known, `recording ended`: the
# exit code, or the signal that ended it
ARG_STATUS = "status"
ARG_SIGNAL = "signal"
ARG_POOL = "pool"  # uint: the inode of the pipe of a pool; of billiard: 1<<40, and a pid
ARG_JOB = "job"  # uint: number of a job, unique in its pool
ARG_PICKLING = "pickling_ns"  # uint: how long pickling a job or result took, or unpickling it
ARG_SENDING = "sending_ns"  # uint on `job sent`, `result sent`, `message sent`: how long …
# … writing it took
ARG_PIPE = "pipe"  # uint: inode of the pipe, or of the socket at which a message is read
ARG_MESSAGE = "message"  # uint: number of a message, unique in its pipe
ARG_THRESHOLD = "threshold_ns"  # uint on `recording`: shorter calls and waits are not written
ARG_LATE = "late"  # records whose timestamps had to be clamped to keep a track in order

# Perfetto: clocks, event types, enums --------------------------------------------------
CLOCK_REALTIME = 1
CLOCK_MONOTONIC = 3
CLOCK_BOOTTIME = 6
CLOCK_DELTA = 64  # per sequence, incremental, ns
TYPE_SLICE_BEGIN = 1
TYPE_SLICE_END = 2
TYPE_INSTANT = 3
TYPE_COUNTER = 4
FLAG_STATE_CLEARED = 1
ORDER_LEXICOGRAPHIC = 1
ORDER_CHRONOLOGICAL = 2
ORDER_EXPLICIT = 3
MERGE_NONE = 2
COUNTER_CPU_CLOCK = 1
CPU_MODE_USER = 2

# Perfetto: field numbers, by message ---------------------------------------------------
TRACE_PACKET = 1

PACKET_CLOCK_SNAPSHOT = 6
PACKET_TIMESTAMP = 8
PACKET_SEQUENCE_ID = 10
PACKET_TRACK_EVENT = 11
PACKET_INTERNED_DATA = 12
PACKET_SEQUENCE_FLAGS = 13
PACKET_CLOCK_ID = 58
PACKET_DEFAULTS = 59
PACKET_TRACK_DESCRIPTOR = 60
PACKET_PERF_SAMPLE = 66

DEFAULTS_TRACK_EVENT = 11
DEFAULTS_PERF_SAMPLE = 12
DEFAULTS_CLOCK_ID = 58
EVENT_DEFAULTS_TRACK_UUID = 11

SNAPSHOT_CLOCKS = 1
SNAPSHOT_PRIMARY = 2
CLOCK_ID = 1
CLOCK_TIMESTAMP = 2
CLOCK_IS_INCREMENTAL = 3

INTERNED_CATEGORIES = 1
INTERNED_EVENT_NAMES = 2
INTERNED_ANNOTATION_NAMES = 3
INTERNED_ANNOTATION_STRINGS = 29
INTERNED_IID = 1
INTERNED_NAME = 2  # `str` in annotation strings: same number

INTERNED_FUNCTION_NAMES = 5
INTERNED_FRAMES = 6
INTERNED_CALLSTACKS = 7
INTERNED_MAPPING_PATHS = 17
INTERNED_SOURCE_PATHS = 18
INTERNED_MAPPINGS = 19

MAPPING_PATH_IDS = 7
FRAME_FUNCTION_ID = 2
FRAME_MAPPING_ID = 3
FRAME_REL_PC = 4
FRAME_SOURCE_PATH = 5
FRAME_LINE = 6
CALLSTACK_FRAME_IDS = 2

PERF_DEFAULTS_TIMEBASE = 1
TIMEBASE_FREQUENCY = 2
TIMEBASE_COUNTER = 4
TIMEBASE_NAME = 10
PERF_PID = 2
PERF_TID = 3
PERF_CALLSTACK = 4
PERF_CPU_MODE = 5

EVENT_CATEGORY_IIDS = 3
EVENT_ANNOTATIONS = 4
EVENT_TYPE = 9
EVENT_NAME_IID = 10
EVENT_TRACK_UUID = 11
EVENT_CATEGORIES = 22
EVENT_NAME = 23
EVENT_COUNTER_VALUE = 30
EVENT_DOUBLE_COUNTER_VALUE = 44
EVENT_FLOW_IDS = 47  # fixed64
EVENT_TERMINATING_FLOW_IDS = 48  # fixed64

ANNOTATION_NAME_IID = 1
ANNOTATION_BOOL = 2
ANNOTATION_UINT = 3
ANNOTATION_INT = 4
ANNOTATION_DOUBLE = 5
ANNOTATION_STRING = 6
ANNOTATION_NAME = 10
ANNOTATION_STRING_IID = 17

TRACK_UUID = 1
TRACK_NAME = 2
TRACK_PROCESS = 3
TRACK_THREAD = 4
TRACK_PARENT_UUID = 5
TRACK_COUNTER = 8
TRACK_CHILD_ORDERING = 11
TRACK_SIBLING_RANK = 12
TRACK_SIBLING_MERGE = 15

PROCESS_PID = 1
PROCESS_CMDLINE = 2
PROCESS_NAME = 6
THREAD_PID = 1
THREAD_TID = 2
THREAD_NAME = 5

# Limits that both rooms know ----------------------------------------------------------------
SEQUENCE_SAMPLES = 2  # + id of the descriptor sequence: the samples' own
STACK_BYTES = 4096  # of an argument `stack`; all other texts are cut at 500
OWN_TRACK_TASKS = 256  # tasks that get a track of their own; later ones share merged lanes
