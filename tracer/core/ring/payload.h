/* The program's own events (tracer.region, task, log, counter), on its way to the timeline.
 *
 * The payload of its records: the number of the operation it is part of (8 bytes, 0 = none); the
 * name (2 bytes length, text) if the record has no string for it; then arguments, each a byte
 * enum user_arg_type, its name (1 byte length, text) and its value (8 bytes, or for text 2 bytes
 * length and the text); then USER_END. */
#ifndef TRACER_PAYLOAD_H
#define TRACER_PAYLOAD_H

enum user_arg_type { USER_END, USER_BOOL, USER_INT, USER_DOUBLE, USER_TEXT, USER_OMITTED };

/* Beyond these an argument is left out and counted (USER_OMITTED, without a name); text is cut. */
enum { USER_ARGS = 16, USER_BYTES = 4096, USER_TEXT_BYTES = 500, USER_LABEL_BYTES = 100 };

#endif
