/* Names and arguments of the program's own events, as their records carry them. */
#ifndef TRACER_USER_VALUES_H
#define TRACER_USER_VALUES_H

#include "python/compat.h"

#include <stdint.h>

#include "ring/payload.h"

typedef struct {
    size_t length;
    uint32_t arguments;
    uint64_t omitted;
    char bytes[USER_BYTES];
} user_payload;

int user_values_start(void); /* 0, or -1 with an exception */

/* Drops an error of the program's code that ran for the recorder, but not an interruption: a
 * KeyboardInterrupt that came meanwhile is the program's. */
void user_drop_error(void);

/* `name` NULL: the record has a string for it. Nothing is written when there is nothing to record.
 * -1: an exception ended the program's code that was run for it. */
int user_fill(user_payload *p, uint64_t operation, PyObject *name, PyObject *labels, PyObject *const *values);

/* A name's string id; 0 when there are too many, or the name is no text. */
uint32_t user_name_id(PyObject *name);

#endif
