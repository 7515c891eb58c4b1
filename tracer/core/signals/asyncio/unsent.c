/* What asyncio's transports have not sent yet, where the program goes on writing though the protocol was told to pause. Who
 * waits then, as drain() does, leaves nothing in the trace. asyncio itself counts the bytes, in these functions. */
#include "signals/asyncio/unsent.h"

#include <string.h>

#include "python/codes.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "schema.h"
#include "signals/asyncio/identity.h"

/* Names are kept for ever: a track of a line that writes serves one transport after the other. */
enum { TRACKS = 64, PAUSED = 64, NAME_ROOM = 300 };
enum { EVERY_NS = 100 * 1000 * 1000 };

typedef struct {
    uint32_t site, name;
    int is_used;
} counter_track;

typedef struct {
    const PyObject *transport; /* never looked into: it may have gone */
    counter_track *on;         /* NULL: it is not written on for long enough */
    uint64_t due;              /* told from this tick on */
} paused_transport;

static counter_track tracks[TRACKS];
static paused_transport paused[PAUSED];
static int track_count, paused_count;
static PyTypeObject *mixin;
static Py_ssize_t paused_offset;
static const PyObject *writing; /* the transport that is being written to, and was paused before */

static int is_paused(const PyObject *transport)
{
    return *(PyObject *const *)((const char *)transport + paused_offset) == Py_True;
}

static PyObject *transport_of_frame(void)
{
    PyObject *self = mixin && !COMPAT_FREE_THREADED ? compat_local(PyThreadState_Get(), 0) : NULL;
    return self && PyObject_TypeCheck(self, mixin) ? self : NULL;
}

static paused_transport *find(const PyObject *transport)
{
    for (int i = 0; i < paused_count; i++)
        if (paused[i].transport == transport)
            return &paused[i];
    return NULL;
}

static void tell(thread_buffer *b, uint64_t tick, const counter_track *on, uint64_t bytes)
{
    ring_emit(b, tick, REC_COUNTER, COUNTER_QUEUE, on->name, 0, bytes);
}

static void end(thread_buffer *b, uint64_t tick, paused_transport *one)
{
    if (one->on) {
        tell(b, tick, one->on, 0);
        one->on->is_used = 0;
    }
    *one = paused[--paused_count];
}

/* "unsent bytes <number> <line of the program that writes>"; NULL: there are too many, or no line is known. */
static counter_track *track_of(uint32_t site)
{
    for (int i = 0; i < track_count; i++)
        if (tracks[i].site == site && !tracks[i].is_used)
            return &tracks[i];
    if (!site || track_count == TRACKS)
        return NULL;
    char name[NAME_ROOM];
    size_t placed;
    const char *line = intern_text(site, &placed);
    int length = PyOS_snprintf(name, sizeof name, "%s%d %.*s", SCHEMA_TEXT_UNSENT_PREFIX, track_count,
                               placed < NAME_ROOM / 2 ? (int)placed : NAME_ROOM / 2, line);
    tracks[track_count] = (counter_track){.site = site, .name = intern_string(name, (size_t)length)};
    return &tracks[track_count++];
}

HOT void unsent_on_write(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const PyObject *transport = transport_of_frame();
    int was_paused = transport && is_paused(transport);
    paused_transport *left = transport && !was_paused ? find(transport) : NULL;
    writing = was_paused ? transport : NULL;
    if (left) /* of one that was at this address before */
        end(b, clock_tick(), left);
}

HOT void unsent_on_written(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    const PyObject *transport = writing ? transport_of_frame() : NULL, *size = NULL;
    int is_it = transport && transport == writing;
    writing = NULL;
    paused_transport *one = is_it ? find(transport) : NULL;
    if (is_it && !one && paused_count < PAUSED) {
        paused[paused_count++] = (paused_transport){.transport = transport, .due = tick + clock_ticks_of(EVERY_NS)};
        return;
    }
    if (!one || tick < one->due || !(size = compat_local(PyThreadState_Get(), 1)) || !PyLong_CheckExact(size))
        return;
    int overflow;
    long long bytes = PyLong_AsLongLongAndOverflow((PyObject *)size, &overflow);
    if (!one->on && (one->on = track_of(codes_user_line(compat_running_frame()))))
        one->on->is_used = 1;
    if (one->on && bytes > 0)
        tell(b, tick, one->on, (uint64_t)bytes);
    one->due = tick + clock_ticks_of(EVERY_NS);
}

HOT void unsent_on_sent(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)value;
    const PyObject *transport = paused_count ? transport_of_frame() : NULL;
    paused_transport *one = transport ? find(transport) : NULL;
    if (one && !is_paused(transport))
        end(b, tick, one);
}

void unsent_forget(void)
{
    memset(tracks, 0, sizeof tracks);
    track_count = paused_count = 0;
    writing = NULL;
}

PyDoc_STRVAR(doc, "watch_unsent(type)\n\nThe type of asyncio's transports that pause their protocols.");

static PyObject *watch_unsent(PyObject *module, PyObject *type)
{
    (void)module;
    unsent_forget();
    paused_offset = PyType_Check(type) ? identity_slot(type, "_protocol_paused") : -1;
    if (paused_offset < 0)
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_RuntimeError, "asyncio's transports are not known");
    Py_XSETREF(mixin, (PyTypeObject *)Py_NewRef(type));
    Py_RETURN_NONE;
}

PyMethodDef unsent_methods[] = {
    {"watch_unsent", watch_unsent, METH_O, doc},
    {NULL, NULL, 0, NULL},
};
