/* Notes: instants about the recorder itself, on the tracer's own track. */
#ifndef TRACER_NOTES_H
#define TRACER_NOTES_H

#include "python/compat.h"

/* Attached; `kind`: enum note_kind. */
void notes_write(int kind, const char *subject, const char *text);
/* Called with an exception set: clears it and records it as the reason why `what` is switched off.
 * A KeyboardInterrupt comes again, outside of the hook. */
void notes_failure(const char *what);
/* Calls what a hook has waited for, a reference that is then NULL; the same if it fails. */
void notes_call_once(PyObject **call, const char *what);

#endif
