/* The lengths of queues. A queue is known from the first wait for its items on, since consumers mostly begin with an empty one;
 * the first calls that take items are looked at besides: whoever fills a queue may begin first, and then nobody ever waits.
 *
 * Where items come faster than they are taken, nobody waits for the queue any more, so its length is the only sign. */
#include "signals/locks/queues.h"

#include <string.h>

#include "python/codes.h"
#include "python/plain.h"
#include "ring/intern.h"
#include "schema.h"
#include "signals/locks/ids.h"

/* A queue has a name, which is kept for ever, and a track from its first LONG items on: most never have so many. */
enum { QUEUES = 64, LONG = 16, NAMES = 256, NAME_ROOM = 400 };
enum { EVERY_NS = 100 * 1000 * 1000 };
enum { FIRST_CALLS = 64 };

typedef struct {
    PyObject *ref;      /* weak */
    PyObject *items_at; /* a path, see items_of() */
    uint32_t id, site, name;
    int64_t told;
} known_queue;

uint64_t queues_due = UINT64_MAX;
int queues_calls_left = FIRST_CALLS;
static known_queue queues[QUEUES];
static int queue_count, name_count;
static PyTypeObject *deque_type;

static int ends_with(uint32_t text, const char *end)
{
    size_t length, wanted = strlen(end);
    const char *of = intern_text(text, &length);
    return length >= wanted && !memcmp(of + length - wanted, end, wanted);
}

/* The number of items; -1: this is no queue whose items are in a deque or a list. */
static int64_t length_of(PyObject *queue, PyObject *items_at)
{
    PyObject *items = plain_path(queue, items_at);
    int is_known = items && (Py_IS_TYPE(items, deque_type) || PyList_CheckExact(items));
    int64_t length = is_known ? Py_SIZE(items) : -1;
    Py_XDECREF(items);
    return length;
}

static int find_types(void)
{
    PyObject *modules = deque_type ? NULL : PyImport_GetModuleDict(); /* borrowed */
    PyObject *module = modules ? PyDict_GetItemString(modules, "_collections") : NULL;
    PyObject *type = module ? PyObject_GetAttrString(module, "deque") : NULL;
    if (type && PyType_Check(type))
        deque_type = (PyTypeObject *)type; /* lives for ever */
    else
        Py_XDECREF(type);
    return deque_type != NULL;
}

/* The path to the items, a tuple of names; NULL: this is no queue, or one of another kind. */
static PyObject *items_of(PyObject *queue)
{
    static PyObject *paths[4]; /* of threads' queues, of asyncio's, of anyio's channels, of trio's */
    static const char *const texts[][2] = {{"queue"}, {"_queue"}, {"_state", "buffer"}, {"_state", "data"}};
    for (int i = 0; i < 4; i++) {
        if (!paths[i])
            paths[i] = texts[i][1] ? Py_BuildValue("(ss)", texts[i][0], texts[i][1]) : Py_BuildValue("(s)", texts[i][0]);
        if (paths[i] && length_of(queue, paths[i]) >= 0)
            return paths[i];
    }
    return NULL;
}

static void put(known_queue *at, PyObject *queue, uint32_t id, uint32_t site)
{
    PyObject *items_at = items_of(queue);
    PyObject *ref = items_at ? PyWeakref_NewRef(queue, NULL) : NULL;
    if (!ref)
        return;
    Py_XDECREF(at->ref);
    *at = (known_queue){ref, items_at, id, site, 0, 0};
    queue_count += at == &queues[queue_count];
    if (queues_due == UINT64_MAX)
        queues_due = 0;
}

static uint32_t name_of(const known_queue *queue)
{
    char name[NAME_ROOM];
    size_t length;
    const char *place = intern_text(queue->site, &length);
    int shown = length < NAME_ROOM / 2 ? (int)length : NAME_ROOM / 2;
    if (name_count++ >= NAMES)
        return 0;
    return intern_string(name, (size_t)PyOS_snprintf(name, sizeof name, "%s%u %.*s", SCHEMA_TEXT_QUEUE_PREFIX,
                                                     queue->id, shown, place));
}

void queues_know(PyObject *object, uint32_t id, uint32_t what, uint32_t site)
{
    if (COMPAT_FREE_THREADED || !id || !(ends_with(what, "Queue.get") || ends_with(what, ".receive")))
        return;
    known_queue *free_one = queue_count < QUEUES ? &queues[queue_count] : NULL;
    for (int i = 0; i < queue_count; i++) {
        if (queues[i].id == id)
            return;
        if (!free_one && compat_weakref_target(queues[i].ref) == Py_None)
            free_one = &queues[i];
    }
    PyObject *raised = PyErr_GetRaisedException();
    if (free_one && PyType_SUPPORTS_WEAKREFS(Py_TYPE(object)) && find_types())
        put(free_one, object, id, site);
    PyErr_Clear();
    PyErr_SetRaisedException(raised);
}

void queues_on_take(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)b, (void)tick, (void)value;
    PyThreadState *tstate = PyThreadState_Get();
    const compat_frame *frame = *compat_frame_slot(tstate);
    PyCodeObject *code = frame ? compat_frame_code(frame) : NULL;
    PyObject *queue = code ? compat_local(tstate, 0) : NULL;
    if (queue && PyCell_Check(queue)) /* a function inside uses it, too */
        queue = PyCell_GET(queue);
    const code_facts *facts = queue ? codes_of(code) : NULL;
    uint32_t what = facts && facts->label ? facts->label : facts ? facts->wait : 0; /* as waits inside it have it */
    queues_calls_left -= queues_calls_left > 0;
    if (what && !COMPAT_FREE_THREADED)
        queues_know(queue, lock_ids_of(queue, what, NULL), what, codes_user_line(compat_frame_caller(frame)));
}

void queues_write(thread_buffer *b)
{
    uint64_t tick = clock_tick();
    PyObject *raised = PyErr_GetRaisedException(); /* by the call that has waited */
    queues_due = tick + clock_ticks_of(EVERY_NS);
    for (int i = 0; i < queue_count; i++) {
        known_queue *queue = &queues[i];
        PyObject *object = compat_weakref_get(queue->ref); /* NULL, too, if it is about to be freed */
        int64_t length = object ? length_of(object, queue->items_at) : 0;
        Py_XDECREF(object);
        if (length >= LONG && !queue->name)
            queue->name = name_of(queue);
        if (length < 0 || length == queue->told || !queue->name)
            continue;
        queue->told = length;
        ring_emit(b, tick, REC_COUNTER, COUNTER_QUEUE, queue->name, 0, (uint64_t)length);
    }
    PyErr_SetRaisedException(raised);
}

void queues_forget(void)
{
    for (int i = 0; i < queue_count; i++)
        Py_XDECREF(queues[i].ref);
    memset(queues, 0, sizeof queues);
    queue_count = 0;
    queues_due = UINT64_MAX;
    queues_calls_left = FIRST_CALLS;
}
