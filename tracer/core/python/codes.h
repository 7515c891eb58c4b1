/* Code objects and callables as small integers, and what is known about each.
 *
 * Attached to the interpreter (with the GIL, where there is one). Leaves no exception set. */
#ifndef TRACER_CODES_H
#define TRACER_CODES_H

#include "python/compat.h"

#include <stdint.h>

enum await_primitive {
    PRIMITIVE_NONE,
    PRIMITIVE_SIGNAL, /* its first argument, which nobody holds: a condition, event, queue */
    PRIMITIVE_LOCK,   /* its first argument, a lock */
};

typedef struct {
    uint32_t func;   /* intern.h function id */
    uint32_t label;  /* string id of "await …" if waiting inside this code has a name */
    uint8_t outward; /* the label counts even if deeper code has one (Queue.join over Event.wait) */
    uint8_t inside_asyncio;
    uint8_t primitive;       /* enum await_primitive: what a task that waits inside it waits for */
    uint8_t inside_library;  /* the standard library's */
    uint32_t wait;           /* string id of "lock wait: …" if a thread's wait inside it has a name */
} code_facts;

/* Who keeps addresses of code objects lets go of one here: the code is about to die. */
typedef void code_dies(PyCodeObject *code);

/* Once per process, before codes_start(): whom the code watcher calls, in this order; NULL ends it. */
void codes_on_death(code_dies *const *listeners);
int codes_start(void); /* installs the code watcher; 0, or -1 with an exception */

const code_facts *codes_of(PyCodeObject *code);
uint32_t codes_line(PyCodeObject *code, const code_facts *facts, int offset); /* "file:line function" */
/* Without a GIL another thread's code may die meanwhile: what was remembered has a line until then. */
void codes_remember(PyCodeObject *code);
uint32_t codes_line_if_known(PyCodeObject *code, int offset);
uint32_t codes_callable(PyObject *callable); /* function id of a callback's name and site */
uint32_t codes_text(PyObject *text);         /* string id; 0 if it is no str */
uint32_t codes_type_name(PyObject *object);  /* string id of its class's name, without the module */

extern PyMethodDef codes_methods[];

#endif
