/* Who keeps the live sampled objects of a line: a walk from variables to objects, in slices of the GIL.
 *
 * The walk goes down from named roots, again and again and each time deeper, so the paths that it finds are short. It
 * holds references only to the objects on its path and to a few of their neighbours. Between slices the program
 * goes on: what it changes meanwhile may be missed. Of the targets only the addresses are known; that the one found
 * there is still the sampled block is checked then. */
#define _GNU_SOURCE
#include "signals/heap/retained.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "signals/heap/asked.h"
#include "signals/heap/blocks.h"
#include "signals/slices.h"

enum {
    TARGETS = 4096,
    TARGET_SLOTS = TARGETS * 2,
    SEEN_SLOTS = 1 << 22,
    SEEN_MOST = SEEN_SLOTS / 4 * 3,
    NEIGHBOURS = 256,  /* fetched at a time, of objects that are no plain container */
    DEEPEST = 100000,  /* levels */
    VISITS = 64,       /* between two looks at the clock */
    GAPS = 4096,       /* of a set, skipped in one step */
    LOOKED_AT = 20000, /* objects of the collector, about 1 ms */
    OWN_FIELDS = 4096, /* of a subclass of a container, before its items */
};
static const char *const ALL = "", *const TIME = "time", *const ROOM = "room", *const STOPPED = "stopped";

typedef struct {
    const void *block;
    uint32_t number;
} target;

typedef struct {
    PyObject *object;
    PyObject *edge;       /* what led here from the object above: an index, a key; NULL: unknown */
    Py_ssize_t position;  /* of the next neighbour */
    PyObject **fetched;   /* neighbours, referred to; NULL: none */
    int count, next;
    int fields_done;      /* its items follow */
} level;

typedef struct {
    uintptr_t object;
    uint32_t round, depth;
} sight;

static struct {
    target targets[TARGET_SLOTS];
    level *levels;
    int depth, limit, was_cut, is_full;
    uint64_t until_ns;
    uint32_t round, seen, left;
    sight *sights;
    PyObject *found; /* a list of paths */
} w;

/* --- targets --- */

static uint32_t home_of(const void *block, uint32_t slots)
{
    return (uint32_t)(((uintptr_t)block >> 4) * 0x9E3779B97F4A7C15ull >> 40) & (slots - 1);
}

static target *target_at(const void *block)
{
    uint32_t at = home_of(block, TARGET_SLOTS);
    while (w.targets[at].block && w.targets[at].block != block)
        at = (at + 1) & (TARGET_SLOTS - 1);
    return &w.targets[at];
}

/* A block that has a target's address, and is what was sampled. It is told of once. */
static int takes_target(const void *block)
{
    target *found = block ? target_at(block) : NULL;
    if (!found || !found->block || !found->number)
        return 0;
    int is_it = blocks_number(block) == found->number;
    found->number = 0;
    w.left--;
    return is_it;
}

/* Whether the object, or what it keeps its items in, is a target. */
static int is_target(PyObject *object)
{
    PyTypeObject *type = Py_TYPE(object);
    char *block = (char *)object;
    if (PyObject_IS_GC(object))
        block -= 2 * sizeof(void *); /* the collector's links … */
    if (type->tp_flags & (Py_TPFLAGS_MANAGED_DICT | Py_TPFLAGS_MANAGED_WEAKREF))
        block -= 2 * sizeof(void *); /* … below the places of its dict and weak references */
    int is_it = takes_target(block);
    if (PyList_Check(object))
        is_it |= takes_target(((PyListObject *)object)->ob_item);
    else if (PyDict_Check(object))
        is_it |= takes_target(((PyDictObject *)object)->ma_keys);
    else if (PyAnySet_Check(object))
        is_it |= takes_target(((PySetObject *)object)->table);
    else if (PyByteArray_Check(object))
        is_it |= takes_target(((PyByteArrayObject *)object)->ob_bytes);
    return is_it;
}

/* --- the walk --- */

/* Whether an object is to be walked now: not yet in this round, or then from deeper below. -1: no room. */
static int is_new(PyObject *object, int depth)
{
    uint32_t at = home_of(object, SEEN_SLOTS);
    while (w.sights[at].object && w.sights[at].object != (uintptr_t)object)
        at = (at + 1) & (SEEN_SLOTS - 1);
    sight *known = &w.sights[at];
    if (known->object && known->round == w.round && known->depth <= (uint32_t)depth)
        return 0;
    if (!known->object && w.seen++ >= SEEN_MOST)
        return -1;
    *known = (sight){(uintptr_t)object, w.round, (uint32_t)depth};
    return 1;
}

static int tell_path(PyObject *object, PyObject *edge)
{
    PyObject *path = PyList_New(0);
    for (int i = 0; path && i <= w.depth + 1; i++) {
        PyObject *of = i <= w.depth ? w.levels[i].object : object, *by = i <= w.depth ? w.levels[i].edge : edge;
        PyObject *step = PyTuple_Pack(2, of, by ? by : Py_None);
        if (!step || PyList_Append(path, step) < 0)
            Py_CLEAR(path);
        Py_XDECREF(step);
    }
    int failed = !path || PyList_Append(w.found, path) < 0 ? -1 : 0;
    Py_XDECREF(path);
    return failed;
}

/* Looks at a neighbour of the deepest object, and goes down to it. Steals `edge`. */
static int visit(PyObject *object, PyObject *edge)
{
    int depth = w.depth + 1, is_walked = 0;
    if (w.left && is_target(object) && tell_path(object, edge) < 0)
        goto failed;
    if (PyObject_IS_GC(object) && Py_TYPE(object)->tp_traverse) {
        if (depth >= w.limit)
            w.was_cut = 1;
        else if ((is_walked = is_new(object, depth)) < 0)
            is_walked = 0, w.is_full = 1;
    }
    if (is_walked) {
        w.levels[++w.depth] = (level){.object = Py_NewRef(object), .edge = edge};
        return 0;
    }
    Py_XDECREF(edge);
    return 0;
failed:
    Py_XDECREF(edge);
    return -1;
}

typedef struct {
    level *into;
    Py_ssize_t seen;
} fetching;

static int fetch_one(PyObject *object, void *arg)
{
    fetching *f = arg;
    /* _asyncio shows the collector the dead objects that it keeps for later use: they must stay dead. */
    if (f->seen++ < f->into->position || Py_REFCNT(object) < 1)
        return 0;
    f->into->fetched[f->into->count++] = Py_NewRef(object);
    return f->into->count == NEIGHBOURS;
}

/* The next neighbours of an object of any type; 0: no more. */
static int fetch(level *of)
{
    fetching f = {of, 0};
    if (!of->fetched && !(of->fetched = malloc(NEIGHBOURS * sizeof *of->fetched)))
        return 0;
    of->count = of->next = 0;
    Py_TYPE(of->object)->tp_traverse(of->object, fetch_one, &f);
    of->position = f.seen;
    return of->count;
}

static int has_items(PyObject *object)
{
    return PyList_Check(object) || PyTuple_Check(object) || PyDict_Check(object) || PyAnySet_Check(object);
}

static int is_plain(PyObject *object)
{
    return PyList_CheckExact(object) || PyTuple_CheckExact(object) || PyDict_CheckExact(object)
        || PyAnySet_CheckExact(object);
}

/* The next item of a container, borrowed, and a new reference to what leads there. */
static PyObject *next_item(level *of, PyObject **edge)
{
    PyObject *object = of->object, *key, *value;
    *edge = NULL;
    if (PyDict_Check(object)) {
        /* Each entry counts twice: its value, then its key. */
        Py_ssize_t position = of->position / 2;
        if (!PyDict_Next(object, &position, &key, &value))
            return NULL;
        if (of->position % 2 == 0) {
            of->position++;
            *edge = Py_NewRef(key);
            return value;
        }
        of->position = position * 2;
        return key;
    }
    if (PyAnySet_Check(object)) {
        PySetObject *set = (PySetObject *)object;
        for (int gaps = 0; of->position <= set->mask && gaps < GAPS; gaps++) {
            setentry *entry = &set->table[of->position++];
            if (entry->key && entry->hash != -1)
                return entry->key;
        }
        return of->position <= set->mask ? Py_None : NULL;
    }
    Py_ssize_t size = PyList_Check(object) ? PyList_GET_SIZE(object) : PyTuple_GET_SIZE(object);
    if (of->position >= size)
        return NULL;
    value = PyList_Check(object) ? PyList_GET_ITEM(object, of->position) : PyTuple_GET_ITEM(object, of->position);
    *edge = value ? PyLong_FromSsize_t(of->position) : NULL;
    of->position++;
    return value ? value : Py_None; /* a tuple that is being made has gaps */
}

static void leave(void)
{
    level *of = &w.levels[w.depth--];
    while (of->fetched && of->next < of->count)
        Py_DECREF(of->fetched[of->next++]);
    free(of->fetched);
    PyObject *object = of->object, *edge = of->edge;
    *of = (level){0};
    Py_DECREF(object); /* may run code of the program */
    Py_XDECREF(edge);
}

/* One step. Returns 0, or -1 with an exception. */
static int step(void)
{
    level *of = &w.levels[w.depth];
    PyObject *edge = NULL, *object;
    if (!of->fields_done && is_plain(of->object))
        of->fields_done = 1;
    if (!of->fields_done) {
        int has_next = of->next < of->count || ((!has_items(of->object) || of->position < OWN_FIELDS) && fetch(of));
        if (has_next) {
            object = of->fetched[of->next++];
            int failed = visit(object, NULL);
            Py_DECREF(object);
            return failed;
        }
        of->fields_done = 1;
        of->position = 0;
    }
    object = has_items(of->object) ? next_item(of, &edge) : NULL;
    if (!object) {
        leave();
        return 0;
    }
    return visit(object, edge);
}

static int next_limit(int limit)
{
    return limit >= DEEPEST ? 0 : limit < 4 ? limit + 1 : limit < 16 ? limit * 2 : DEEPEST;
}

/* So many steps are done. Returns NULL to go on, why it ends, or ALL with an exception. */
static const char *go_on(uint32_t steps)
{
    if (slices_give_way(steps) && PyErr_CheckSignals() < 0)
        return ALL;
    return asked_is_over() ? STOPPED : slices_now_ns() >= w.until_ns ? TIME : NULL;
}

/* Nobody else's way down leads through a root. */
static const char *see_roots(PyObject *roots)
{
    const char *end = NULL;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(roots) && !end; i++) {
        if (is_new(PyTuple_GET_ITEM(roots, i), 0) < 0)
            return ROOM;
        end = i % VISITS ? NULL : go_on(VISITS);
    }
    return end;
}

static const char *walk_root(PyObject *root, Py_ssize_t at, Py_ssize_t most)
{
    const char *end = NULL;
    PyObject *number = PyLong_FromSsize_t(at);
    w.depth = -1;
    if (!number || (is_target(root) && tell_path(root, number) < 0)) {
        Py_XDECREF(number);
        return ALL;
    }
    if (!PyObject_IS_GC(root) || !Py_TYPE(root)->tp_traverse) {
        Py_DECREF(number);
        return NULL;
    }
    w.levels[++w.depth] = (level){.object = Py_NewRef(root), .edge = number};
    for (uint32_t steps = 1; w.depth >= 0 && !end; steps++) {
        if (step() < 0 || !w.left || PyList_GET_SIZE(w.found) >= most)
            return ALL;
        end = steps % VISITS ? NULL : go_on(VISITS);
    }
    return end;
}

/* From all roots down to the limit. Returns as go_on(), and ALL when enough is found. */
static const char *walk_roots(PyObject *roots, Py_ssize_t most)
{
    const char *end = see_roots(roots);
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(roots) && !end; i++) {
        end = walk_root(PyTuple_GET_ITEM(roots, i), i, most);
        if (!end && i % VISITS == 0)
            end = go_on(VISITS);
    }
    return end;
}

/* Returns why it has ended: ALL when done, or with an exception. */
static const char *walk(PyObject *roots, Py_ssize_t most)
{
    for (int limit = 1; limit; limit = next_limit(limit)) {
        w.limit = limit;
        w.was_cut = w.is_full = 0;
        w.round++;
        const char *end = walk_roots(roots, most);
        while (w.depth >= 0) {
            leave();
            if (w.depth % VISITS == 0)
                slices_give_way(VISITS);
        }
        if (end)
            return end;
        if (!w.was_cut)
            break;
    }
    return w.is_full || w.was_cut ? ROOM : ALL;
}

/* Clears the targets and sets those of the list. Returns -1 with an exception. */
static int set_targets(PyObject *list)
{
    memset(w.targets, 0, sizeof w.targets);
    w.left = 0;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list) && i < TARGETS; i++) {
        unsigned long long address;
        unsigned int number;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "KI", &address, &number))
            return -1;
        *target_at((void *)(uintptr_t)address) = (target){(void *)(uintptr_t)address, number};
        w.left++;
    }
    return 0;
}

static void free_sights(void)
{
    Py_BEGIN_ALLOW_THREADS /* it takes milliseconds */
    munmap(w.sights, SEEN_SLOTS * sizeof *w.sights);
    Py_END_ALLOW_THREADS
}

PyDoc_STRVAR(walk_doc, "find_retained(roots, targets, seconds, most) -> (paths, end)\n\n"
"The paths from `roots`, a tuple, to `most` of the targets, (address, number) of sampled blocks: lists of\n"
"(object, what led there), the first by the number of the root. `end` says what was short, \"time\" or \"room\", or that the\n"
"search was \"stopped\"; \"\": everything was looked at. The GIL is released every 1.8 ms.");

static PyObject *find_retained(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *roots, *targets;
    double seconds;
    Py_ssize_t most;
    if (!PyArg_ParseTuple(args, "O!O!dn", &PyTuple_Type, &roots, &PyList_Type, &targets, &seconds, &most))
        return NULL;
    if (w.levels)
        return PyErr_Format(PyExc_RuntimeError, "another thread is looking already");
    if (set_targets(targets) < 0)
        return NULL;
    w.seen = w.round = 0;
    w.depth = -1;
    w.until_ns = slices_now_ns() + (uint64_t)(seconds * 1e9);
    w.levels = calloc(DEEPEST + 2, sizeof *w.levels);
    w.sights = mmap(NULL, SEEN_SLOTS * sizeof *w.sights, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    w.found = PyList_New(0);
    const char *end = ALL;
    if (w.levels && w.sights != MAP_FAILED && w.found) {
        PyObject_GC_UnTrack(w.found);
        end = walk(roots, most);
    } else if (!PyErr_Occurred()) {
        PyErr_NoMemory();
    }
    if (w.sights != MAP_FAILED)
        free_sights();
    free(w.levels);
    w.levels = NULL;
    PyObject *found = w.found;
    w.found = NULL;
    PyObject *answer = PyErr_Occurred() ? NULL : Py_BuildValue("(Os)", found, end);
    Py_XDECREF(found);
    return answer;
}

/* What the search of the parent's thread refers to stays. */
void retained_forget(void)
{
    w.levels = NULL;
    w.found = NULL;
}

/* --- what nobody can reach --- */

typedef struct {
    PyObject *found;
    uint32_t visited;
    Py_ssize_t most;
} looking;

static int look(PyObject *object, void *arg)
{
    looking *l = arg;
    if (is_target(object) && PyList_Append(l->found, object) < 0)
        PyErr_Clear();
    return w.left && PyList_GET_SIZE(l->found) < l->most && ++l->visited < LOOKED_AT;
}

PyDoc_STRVAR(look_doc, "find_tracked(targets, most) -> list\n\n"
"Targets among the objects that the garbage collector knows, the youngest first; it looks at 20,000.");

static PyObject *find_tracked(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *targets;
    looking l = {.found = PyList_New(0)};
    if (!l.found || w.levels || !PyArg_ParseTuple(args, "O!n", &PyList_Type, &targets, &l.most)
        || set_targets(targets) < 0) {
        Py_XDECREF(l.found);
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_RuntimeError, "another thread is looking already");
    }
    PyUnstable_GC_VisitObjects(look, &l);
    return l.found;
}

PyMethodDef retained_methods[] = {
    {"find_retained", find_retained, METH_VARARGS, walk_doc},
    {"find_tracked", find_tracked, METH_VARARGS, look_doc},
    {NULL, NULL, 0, NULL},
};
