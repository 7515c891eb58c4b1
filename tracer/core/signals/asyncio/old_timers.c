/* uvloop's timers from before the recording: nothing shows when one of them calls back.
 *
 * What libuv calls back without call_soon() comes from a file descriptor, or from such a timer. Which of them belong to
 * which loop is not known, so each loop takes all for its own. */
#include "signals/asyncio/old_timers.h"

#include <string.h>

#include "ring/clock.h"
#include "ring/hot.h"

enum { MOST = 4096, FUZZ_NS = 2000000 }; /* libuv's clock counts milliseconds */

HOT_DATA uint32_t old_timers_count;
static uint64_t due_ns[MOST]; /* in order */
static int are_more;

/* libuv runs the timers that are due after each poll: those of the poll before have run. */
void old_timers_polled(thread_buffer *b)
{
    uint64_t now_ns = clock_ns_of(CLOCK_MONOTONIC);
    while (b->old_timers < old_timers_count && due_ns[b->old_timers] + FUZZ_NS <= b->polled_ns)
        b->old_timers++;
    b->polled_ns = now_ns;
}

int old_timers_are_due(const thread_buffer *b)
{
    return are_more || (b->old_timers < old_timers_count &&
                        due_ns[b->old_timers] <= clock_ns_of(CLOCK_MONOTONIC) + FUZZ_NS);
}

void old_timers_forget(void)
{
    old_timers_count = 0;
    are_more = 0;
}

PyDoc_STRVAR(doc, "old_timers(due)\n\nWhen uvloop's timers are due that there are already: in s, in order.");

static PyObject *old_timers(PyObject *module, PyObject *due)
{
    (void)module;
    PyObject *seconds = PySequence_Tuple(due);
    if (!seconds)
        return NULL;
    uint32_t count = 0;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(seconds) && count < MOST; i++)
        due_ns[count++] = (uint64_t)(PyFloat_AsDouble(PyTuple_GET_ITEM(seconds, i)) * 1e9);
    are_more = PyTuple_GET_SIZE(seconds) > MOST;
    old_timers_count = count;
    Py_DECREF(seconds);
    if (PyErr_Occurred()) {
        old_timers_forget();
        return NULL;
    }
    Py_RETURN_NONE;
}

PyMethodDef old_timers_methods[] = {
    {"old_timers", old_timers, METH_O, doc},
    {NULL, NULL, 0, NULL},
};
