/* What a future hands over as an await of it ends. */
#ifndef TRACER_RESULTS_H
#define TRACER_RESULTS_H

#include "python/compat.h"

/* `iterator`: the type of what `await future` awaits, or NULL. Takes no effect where that works in an unknown way. */
void results_watch(PyObject *iterator);
void results_unwatch(void);

#endif
