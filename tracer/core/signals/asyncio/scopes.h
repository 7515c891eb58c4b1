/* Deadlines of anyio's cancel scopes on asyncio. */
#ifndef TRACER_SCOPES_H
#define TRACER_SCOPES_H

#include "python/compat.h"
#include "ring/ring.h"

/* CancelScope._timeout returns. */
void scopes_due(thread_buffer *b, uint64_t tick, PyObject *value);

#endif
