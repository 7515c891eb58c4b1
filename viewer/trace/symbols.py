"""Positions in the columns of symbols: string indexes, -2 where the trace has no such one."""

# For whom a slice belongs to (viewer.trace.owners, native/tasks.c).
# The argument `task` and the category share a name: one string, one symbol.
(
    TASK,
    CAT_LIFETIME,
    CAT_LOOP,
    CAT_GC,
    ARG_NAME,
    ARG_CORO,
    ARG_SITE,
    ARG_PARENT,
    ARG_WAKER,
    ARG_WAKER_TASK,
    ARG_WAKER_THREAD,
) = range(11)

# For what threads did (viewer.trace.states, native/states.c).
(
    LOCK,
    SITE,
    OWNER,
    OWNER_TASK,
    OWNER_NAME,
    OWNER_SITE,
    ACQUIRED,
    KIND,
    HOLDING_GIL,
    CONTINUES_CALL,
    BYTES,
    RELEASE,
    ATTACHED,
) = range(13)
