/* Which greenlet is which: numbers, names, and how they ended. */
#ifndef TRACER_GREENLETS_H
#define TRACER_GREENLETS_H

#include "python/compat.h"
#include "ring/ring.h"

typedef struct {
    uint32_t id; /* as of a task; 0: a hub, which is its thread's loop */
    const void *object; /* address, not a reference */
    PyObject *ref;      /* weak; NULL: the greenlet is gone */
    uint64_t due_ns;    /* when its sleep is to end, 0 = it does not sleep */
    uint32_t failure;   /* class string of the exception that gevent has reported, or 0 */
    const void *waits_for; /* the lock that it waits for, or NULL */
    uint8_t has_begun;
    uint8_t is_killed;  /* GreenletExit was thrown into it */
    uint8_t is_inside;  /* it has called switch() or throw(), which has not returned */
    uint8_t is_running;
    uint8_t is_ready;   /* its hub is going to come to it */
} known_greenlet;

/* greenlet's C interface, of which only what does not run Python code is used. */
typedef struct {
    PyTypeObject *type;
    PyObject *(*current)(void); /* a new reference, or NULL with an exception: the process ends */
    PyObject *(*parent)(PyObject *); /* a new reference, or NULL */
    int (*started)(PyObject *);
    int (*active)(PyObject *);
    PyObject *exit; /* the class GreenletExit */
} greenlet_interface;
extern greenlet_interface greenlet_api;

/* Whether the thread's hub runs. */
static inline int greenlets_in_hub(const thread_buffer *b)
{
    const known_greenlet *current = b->greenlets.current;
    return current && !current->id;
}

/* `lost` is called when the greenlet that runs, as far as has been seen, is gone. 0, or -1 with an exception. */
int greenlets_setup(void **interface, void (*lost)(thread_buffer *b));
void greenlets_forget(void);
/* gevent's classes: its hub, and the greenlets that are the library's own. */
void greenlets_of_gevent(PyObject *hub, PyObject *own); /* a class, and a tuple of classes */
/* A method of the module: the code that begins a thread, which a greenlet runs where threading is patched. */
PyObject *greenlets_of_threads(PyObject *module, PyObject *code);

int greenlets_is_own(PyObject *object); /* neither it nor its thread's main greenlet is recorded there */
known_greenlet *greenlets_find(const void *object);
/* The one that exists, or a new one, which is written; NULL when memory is short. */
known_greenlet *greenlets_introduce(thread_buffer *b, uint64_t tick, PyObject *object, uint8_t origin);
/* Its name, if it was given one meanwhile. */
void greenlets_name(thread_buffer *b, const known_greenlet *known, PyObject *object);
/* Whether it has run and is over. */
int greenlets_is_over(const known_greenlet *known);
/* It is over; `raised`: the exception that has left it, or NULL; `result`: what its parent got, or NULL. */
void greenlets_end(thread_buffer *b, uint64_t tick, known_greenlet *known, PyObject *raised, PyObject *result);

/* gevent's Hub.handle_error(self, context, type, value, …) begins; see watched.h. */
void greenlets_on_failure(thread_buffer *b, uint64_t tick, PyObject *value);

#endif
