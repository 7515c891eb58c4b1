/* Code objects and callables as small integers, and what is known about each.
 *
 * Attached to the interpreter (with the GIL, where there is one). Leaves no exception set. */
#ifndef TRACER_CODES_H
#define TRACER_CODES_H

#include "python/compat.h"
#include "ring/hot.h"

#include <stdint.h>

enum await_primitive {
    PRIMITIVE_NONE,
    PRIMITIVE_SIGNAL, /* its first argument, something that nobody holds: a condition, event, queue */
    PRIMITIVE_LOCK,   /* its first argument, a lock */
};

/* Whose name for a wait counts, where several coroutines that await each other have one. */
enum label_of {
    LABEL_INNER,             /* the innermost … */
    LABEL_OUTWARD,           /* … but this one before those inside it (Queue.join over Event.wait) … */
    LABEL_LAST,              /* … and this one only if there is no other */
    LABEL_OF_PACKAGE,        /* the innermost of a package's counts before any of asyncio's inside it … */
    LABEL_OF_PACKAGE_DIRECT, /* … and this one only where the code itself awaits a future */
};

typedef struct {
    uint32_t func;  /* intern.h function id */
    uint32_t label; /* string id of "await …" if a wait inside this code has a name */
    uint32_t kind;  /* string id: "trio.Event", what nobody holds; 0: the wait's name tells */
    PyObject *runs;   /* names of attributes that lead to what this coroutine runs, a task's function …; NULL: its own code */
    uint16_t runs_at; /* … from this variable */
    uint8_t label_of; /* enum label_of */
    uint8_t inside_scheduler; /* it belongs to asyncio, or to another library that runs tasks */
    uint8_t inside_package; /* it belongs to an installed package */
    uint8_t primitive;       /* enum await_primitive: what a task that waits inside it waits for */
    uint8_t inside_library;  /* it belongs to the standard library */
    uint8_t pool;            /* what a wait inside it is for: see signals/libraries.h; 0: no pool */
    uint8_t job;             /* the function that another thread runs for it: the same; 0: none */
    uint8_t stand_in;        /* what has the slot of the task that waits inside it: the same; 0: the task */
    uint8_t greenlet;        /* the greenlet in which it runs functions: the same; 0: none */
    uint32_t wait;           /* string id of "lock wait: …" if a thread's wait inside it has a name */
    uint8_t is_signal;       /* … and a plain lock that it takes is a signal, whoever has taken it before … */
    uint8_t runs_others;     /* … and no code outside it names the wait: it runs what it is given */
} code_facts;

enum code_owner { OWNER_USER, OWNER_PACKAGE, OWNER_LIBRARY };

/* Code that keeps addresses of code objects forgets one here: the code object is about to die. */
typedef void code_dies(PyCodeObject *code);

/* Called once per process, before codes_start(): the functions that the code watcher calls, in this order;
 * NULL ends the list. */
void codes_on_death(code_dies *const *listeners);
int codes_start(void); /* installs the code watcher; 0, or -1 with an exception */
extern OURS uint32_t codes_deaths; /* how many have died since */
extern OURS uint32_t codes_changes; /* how often more was learned of one */

const code_facts *codes_of(PyCodeObject *code);
uint32_t codes_func(PyCodeObject *code); /* … and only the function id of these */
code_facts *codes_change(PyCodeObject *code); /* the same, for who knows more of it: `func` is 0 if memory is short */
uint32_t codes_line(PyCodeObject *code, const code_facts *facts, int offset); /* "file:line function" */
/* Without a GIL another thread's code may die meanwhile: only codes remembered before that have a line. */
void codes_remember(PyCodeObject *code);
uint32_t codes_line_if_known(PyCodeObject *code, int offset);
uint32_t codes_user_line(const compat_frame *frame); /* of the program: of this frame, or of its first caller there; 0: none */
enum code_owner codes_owner(const PyCodeObject *code); /* allocates nothing */
uint32_t codes_callable(PyObject *callable); /* function id of a callback's name and site */
PyCodeObject *codes_of_callable(PyObject *callable); /* borrowed from it; NULL: it has none */
uint32_t codes_text(PyObject *text);         /* string id; 0 if it is not a str */
uint32_t codes_type_name(PyObject *object);  /* string id of its class's name, without the module */

extern PyMethodDef codes_methods[];

#endif
