/* What gevent's hub calls back between greenlets. */
#ifndef TRACER_CALLBACKS_H
#define TRACER_CALLBACKS_H

#include "signals/greenlet/greenlets.h"

/* `key`: of the REC_CB_READY that scheduled it. Its name is read only if it is shown: it must stay alive. */
void callbacks_begin(thread_buffer *b, PyObject *callback, const void *key);
void callbacks_end(thread_buffer *b, uint64_t tick);
/* The running one has woken somebody: puts it into the trace. Without one, nothing happens. */
void callbacks_show(thread_buffer *b);
/* The hub goes on with a greenlet: why, and what of the callback there is to end. */
void callbacks_resume(thread_buffer *b, uint64_t tick, const known_greenlet *known, int is_thrown);
/* … and is back: from `task`, or 0. */
void callbacks_go_on(thread_buffer *b, uint64_t tick, uint32_t task);

#endif
