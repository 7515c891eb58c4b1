/* The stacks of Queue.put(), by the objects that were put: a queue keeps each until its thread pickles it. */
#include "signals/queued.h"

#include <string.h>

#include "python/looking.h"
#include "python/stacks.h"
#include "ring/family.h"
#include "ring/map.h"

enum { MOST_OBJECTS = 1 << 16 }; /* what is put in vain, into a full queue, stays here */

static map objects; /* address -> an entry: how often it is queued, and from where */
static compat_mutex guard;

enum { COUNT_BITS = 24 };
static const uint32_t MANY = (1u << COUNT_BITS) - 1; /* it stays so */

static _Thread_local struct {
    uint32_t generation; /* of the recording in which this thread is a queue's */
    uint32_t stack;
} feeder;

static _Atomic uint32_t generation; /* that the map belongs to */

static uint64_t entry_of(uint32_t stack, uint64_t count)
{
    return (uint64_t)stack << COUNT_BITS | count;
}

static void begin_anew(const thread_buffer *b)
{
    if (atomic_load(&generation) != b->generation)
        map_free(&objects);
    atomic_store(&generation, b->generation);
}

/* multiprocessing.Queue's, or a subclass's of the program: jobs of executors are told by themselves. */
static int is_of_executor(PyObject *queue)
{
    return !queue || !strcmp(Py_TYPE(queue)->tp_name, "_SafeQueue");
}

void queued_on_put(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current();
    PyObject *object = local(frame, 1);
    if (!family_is_ready() || !object || is_of_executor(local(frame, 0)))
        return;
    uint32_t stack = stacks_here();
    compat_lock(&guard);
    begin_anew(b);
    uint64_t *entry = objects.used < MOST_OBJECTS ? map_put(&objects, (uint64_t)(uintptr_t)object) : NULL;
    if (entry) {
        uint64_t count = *entry & MANY;
        int is_same = !count || *entry >> COUNT_BITS == stack;
        *entry = entry_of(is_same ? stack : 0, count == MANY ? count : count + 1);
    }
    compat_unlock(&guard);
}

void queued_on_feed(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    feeder.generation = b->generation;
    feeder.stack = 0;
}

void queued_is_pickled(const thread_buffer *b, PyObject *object)
{
    if (__builtin_expect(feeder.generation != b->generation || !object, 1))
        return;
    compat_lock(&guard);
    begin_anew(b);
    uint64_t *entry = map_find(&objects, (uint64_t)(uintptr_t)object);
    if (entry) {
        uint64_t count = *entry & MANY;
        feeder.stack = (uint32_t)(*entry >> COUNT_BITS);
        if (count == 1)
            map_remove(&objects, (uint64_t)(uintptr_t)object);
        else if (count != MANY)
            *entry = entry_of(feeder.stack, count - 1);
    }
    compat_unlock(&guard);
}

uint32_t queued_stack(const thread_buffer *b)
{
    uint32_t stack = feeder.generation == b->generation ? feeder.stack : 0;
    feeder.stack = 0;
    return stack;
}
