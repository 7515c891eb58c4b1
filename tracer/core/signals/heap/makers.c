/* Makers: the calls whose lines allocated sampled blocks, and whether they have returned.
 *
 * The address of a frame does not tell one call of a function from the next. So a function's frame gets a mark: an
 * empty dict, in a place that its code has no use for. The frame drops it after its variables, so a call has
 * returned when nobody but us refers to its mark, which may then be another call's. Up to 3.12 locals() finds
 * the mark there and fills it: it then is the program's, and the call unknown.
 *
 * Code that is no function's, a module's or a class's, has no such place. Its frame is known by its address and its
 * namespace, and only on its own thread. */
#include "signals/heap/makers.h"

#include "python/codes.h"

enum { BODIES = 64, MARKS = MAKERS_MOST - BODIES, WALKED_MOST = 64 };
static const uint32_t IS_BODY = 1u << 31;

static struct {
    PyObject *dict;  /* NULL: not there */
    uint32_t number; /* of the last call that had it */
} marks[MARKS];
static struct {
    const compat_frame *frame;
    const PyCodeObject *code;
    const PyObject *space;
    uint64_t thread;
    uint32_t number;
} bodies[BODIES];
static uint32_t next_mark, rounds, next_body;
static int watcher = -1;

/* The program has found a mark, and keeps what it wants there: it gets the dict, and we take another one. */
static int on_dict_event(PyDict_WatchEvent event, PyObject *dict, PyObject *key, PyObject *value)
{
    (void)key, (void)value;
    for (int i = 0; i < MARKS && event != PyDict_EVENT_DEALLOCATED; i++)
        if (marks[i].dict == dict) {
            marks[i].dict = NULL;
            marks[i].number = 0;
            Py_DECREF(dict); /* the frame has it */
        }
    return 0;
}

static int fill(void)
{
    for (int i = 0; i < MARKS; i++) {
        if (marks[i].dict)
            continue;
        PyObject *dict = PyDict_New();
        if (!dict || PyDict_Watch(watcher, dict) < 0) {
            Py_XDECREF(dict);
            return -1;
        }
        if (PyObject_GC_IsTracked(dict))
            PyObject_GC_UnTrack(dict);
        marks[i].dict = dict;
    }
    return 0;
}

int makers_start(void)
{
    if (watcher < 0)
        watcher = PyDict_AddWatcher(on_dict_event);
    return watcher < 0 ? -1 : fill();
}

/* The frame whose line a report shows: the innermost of the program's code, of a package's, of any. */
static compat_frame *find(PyThreadState *attached)
{
    compat_frame *first = NULL, *package = NULL;
    int depth = 0;
    for (compat_frame *at = *compat_frame_slot(attached); at && depth < WALKED_MOST; at = at->previous) {
        const PyCodeObject *code = compat_frame_code(at);
        if (!code)
            continue;
        depth++;
        enum code_owner owner = codes_owner(code);
        if (owner == OWNER_USER)
            return at;
        if (!first)
            first = at;
        if (!package && owner == OWNER_PACKAGE)
            package = at;
    }
    return package ? package : first;
}

static uint32_t number_of_mark(PyObject **place)
{
    for (int i = 0; i < MARKS && *place; i++)
        if (marks[i].dict == *place)
            return marks[i].number;
    if (*place)
        return 0; /* the program's own */
    for (int tried = 0; tried < MARKS; tried++) {
        uint32_t at = next_mark++ % MARKS;
        if (!marks[at].dict || Py_REFCNT(marks[at].dict) > 1)
            continue;
        rounds = rounds % (IS_BODY / MARKS - 1) + 1;
        marks[at].number = rounds * MARKS + at;
        *place = Py_NewRef(marks[at].dict);
        return marks[at].number;
    }
    return 0;
}

static int is_body(uint32_t at, compat_frame *frame, const PyThreadState *attached)
{
    return bodies[at].frame == frame && bodies[at].code == compat_frame_code(frame)
        && bodies[at].space == *compat_frame_space(frame) && bodies[at].thread == attached->id;
}

static uint32_t number_of_body(compat_frame *frame, const PyThreadState *attached)
{
    for (uint32_t i = 0; i < BODIES; i++)
        if (bodies[i].number && is_body(i, frame, attached))
            return bodies[i].number;
    uint32_t count = next_body++, at = count % BODIES;
    bodies[at].frame = frame;
    bodies[at].code = compat_frame_code(frame);
    bodies[at].space = *compat_frame_space(frame);
    bodies[at].thread = attached->id;
    bodies[at].number = IS_BODY | count;
    return bodies[at].number;
}

uint32_t makers_number(PyThreadState *attached)
{
    compat_frame *frame = watcher < 0 ? NULL : find(attached);
    if (!frame)
        return 0;
    if (!(compat_frame_code(frame)->co_flags & CO_OPTIMIZED))
        return number_of_body(frame, attached);
    return number_of_mark(compat_frame_space(frame));
}

static enum maker_state state_of_body(uint32_t number, PyThreadState *attached)
{
    uint32_t at = number % BODIES;
    if (bodies[at].number != number || !attached || bodies[at].thread != attached->id)
        return MAKER_UNKNOWN;
    for (compat_frame *frame = *compat_frame_slot(attached); frame; frame = frame->previous)
        if (is_body(at, frame, attached))
            return MAKER_RUNS;
    return MAKER_RETURNED;
}

enum maker_state makers_state(uint32_t number, PyThreadState *attached)
{
    if (!number)
        return MAKER_UNKNOWN;
    if (number & IS_BODY)
        return state_of_body(number, attached);
    uint32_t at = number % MARKS;
    if (!marks[at].number)
        return MAKER_UNKNOWN;
    return marks[at].number == number && Py_REFCNT(marks[at].dict) > 1 ? MAKER_RUNS : MAKER_RETURNED;
}

uint32_t makers_running(uint32_t numbers[MAKERS_MOST], PyThreadState *attached)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < MAKERS_MOST; i++) {
        uint32_t number = i < MARKS ? marks[i].number : bodies[i - MARKS].number;
        if (makers_state(number, attached) == MAKER_RUNS)
            numbers[count++] = number;
    }
    return count;
}
