/* What the recorder has to say about itself: instants on the tracer's own track. */
#ifndef TRACER_NOTES_H
#define TRACER_NOTES_H

/* Attached; `kind`: enum note_kind. */
void notes_write(int kind, const char *subject, const char *text);
/* An exception is set: clears it, and records it as the reason why `what` is switched off. */
void notes_failure(const char *what);

#endif
