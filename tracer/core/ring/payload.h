/* User events (tracer.region, task, log, counter) on their way to the timeline.
 *
 * The payload of their records: the number of the operation that the event is part of (8 bytes, 0 = none);
 * the name (2 bytes length, text) if the record has no string for it; then the arguments, each a byte enum
 * user_arg_type, its name (1 byte length, text) and its value (8 bytes, or for text 2 bytes length and the
 * text); then USER_END. */
#ifndef TRACER_PAYLOAD_H
#define TRACER_PAYLOAD_H

enum user_arg_type { USER_END, USER_BOOL, USER_INT, USER_DOUBLE, USER_TEXT, USER_OMITTED };

/* Limits. Arguments beyond them are left out and counted (USER_OMITTED, without a name); longer text is
 * cut. */
enum { USER_ARGS = 16, USER_BYTES = 4096, USER_TEXT_BYTES = 500, USER_LABEL_BYTES = 100 };

#endif
