/* Watched code objects: what the events of each mean.
 *
 * Separate from monitor.c, which assigns functions to the roles, so that the files of these functions can
 * check whether a code object is watched. */
#ifndef TRACER_WATCHED_H
#define TRACER_WATCHED_H

#include "python/compat.h"
#include "python/stacks.h"
#include "ring/map.h"
#include "ring/ring.h"

/* What a function of asyncio's own loops does, or trio's; trampolines ask which of them calls. */
enum loop_part { LOOP_NO_PART, LOOP_RUNS_STEPS, LOOP_QUEUES, LOOP_POLLS, LOOP_RUNS_TRIO, LOOP_QUEUES_TRIO, LOOP_POLLS_TRIO, LOOP_RUNS };

typedef void (*on_event)(thread_buffer *b, uint64_t tick, PyObject *value);

/* In `on_return`, `value` and `tick` are those of the return; in `on_start` they are NULL and 0, because
 * reading the clock at every start would cost too much. The running frame is the watched one. */
typedef struct {
    const char *name;
    on_event on_start, on_return;
    uint8_t loop_part; /* enum loop_part */
} watched_role;

enum { WATCHED = 256, WATCHED_MOST = WATCHED / 2 };

/* By address, kept alive while it is watched. */
typedef struct {
    PyObject *code;
    watched_role *role;
} watched_code;
extern OURS watched_code watched[WATCHED];

/* Where `code` is, or the empty place where it would be. */
static inline watched_code *watched_place(PyObject *code)
{
    uint32_t at = map_hash((uint64_t)(uintptr_t)code) & (WATCHED - 1);
    while (watched[at].code && watched[at].code != code)
        at = (at + 1) & (WATCHED - 1);
    return &watched[at];
}

static inline watched_role *watched_role_of(PyObject *code)
{
    return watched_place(code)->role;
}

/* `line`: the one whose LINE events are the role's `on_start`; 0: none. Returns 0, or -1: too many. */
int watched_add(PyObject *code, watched_role *role, int line);
int watched_line_of(PyObject *code);
void watched_forget(void);
int watched_has(PyCodeObject *code); /* whether some role has its events */
extern OURS stack_ends watched_runners; /* codes of loops that call callbacks and tasks */

/* Which part of a loop the function is that `frame` runs. */
static inline enum loop_part watched_part(const compat_frame *frame)
{
    PyCodeObject *code = frame ? compat_frame_code(frame) : NULL;
    const watched_role *role = code ? watched_role_of((PyObject *)code) : NULL;
    return role ? (enum loop_part)role->loop_part : LOOP_NO_PART;
}

static inline int watched_is_part(const compat_frame *frame, enum loop_part part)
{
    return watched_part(frame) == part;
}

#endif
