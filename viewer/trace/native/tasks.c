/* Speed-up of owners.py, the Python twin: which task a slice belongs to. */
#include "columns.h"

/* Order of the `symbols` argument of assign: string indexes, -2 when the trace has no such. */
enum { SYM_TASK, SYM_LIFETIME, SYM_LOOP, SYM_GC, SYM_ARG_NAME, SYM_ARG_CORO, SYM_ARG_SITE,
       SYM_ARG_PARENT, SYM_ARG_WAKER, SYM_ARG_WAKER_TASK, SYM_ARG_WAKER_THREAD, SYM_COUNT };
/* The argument `task` is called like the category: one string, one symbol. */
#define SYM_ARG_TASK SYM_TASK

#define ANONYMOUS ((uint64_t)1 << 63)
#define WAKER(kind, value) ((int64_t)(kind) << 40 | (int64_t)(value))
enum { WAKER_NONE, WAKER_TEXT, WAKER_GROUP, WAKER_THREAD, WAKER_LOST };

typedef struct {
    const int32_t *slice_event, *parent, *event_track, *event_name, *event_category;
    const int32_t *arg_start, *arg_name;
    const uint8_t *arg_kind;
    const int64_t *arg_value;
    const int32_t *track_process, *symbols;
    const uint8_t *name_kind; /* by string: KIND_READY, RUNNING, AWAIT, SELECT or 0 */
    Py_ssize_t slices, strings;
} Source;

enum { KIND, OWNER, CODE, TASK_ID, TASK_PROCESS, TASK_HEAD, TASK_NAME, TASK_CORO, TASK_SITE,
       TASK_PARENT, TASK_GROUP, CALL_NAME, CALL_SITE, CALL_HEAD, CALL_IS_TASK, GROUP_HEAD,
       ASSIGN_COLUMNS };

#define I32(column) ((int32_t *)(column).data)
#define I64(column) ((int64_t *)(column).data)

/* Index of the argument `symbol` of the slice's begin, of one of two kinds; -1 when absent. */
static int32_t find_arg(const Source *s, Py_ssize_t slice, int symbol, int kind, int other)
{
    int32_t event = s->slice_event[slice], wanted = s->symbols[symbol];
    for (int32_t a = s->arg_start[event]; a < s->arg_start[event + 1]; a++) {
        if (s->arg_name[a] == wanted && (s->arg_kind[a] == kind || s->arg_kind[a] == other)) {
            return a;
        }
    }
    return -1;
}

static int32_t find_number(const Source *s, Py_ssize_t slice, int symbol)
{
    return find_arg(s, slice, symbol, ARG_KIND_UINT, ARG_KIND_INT);
}

/* String index of a text argument; -1 when absent. */
static int32_t find_text(const Source *s, Py_ssize_t slice, int symbol)
{
    int32_t a = find_arg(s, slice, symbol, ARG_KIND_STRING, ARG_KIND_STRING);
    return a < 0 ? -1 : (int32_t)s->arg_value[a];
}

/* Tasks by process and id. Ids are mostly numbers in a row: those of the first process are in a
 * table, in which neighbours are neighbours, as long as it stays small; the others in a map. */
typedef struct {
    Map far;
    uint64_t process;
    int32_t *near; /* by id the task + 1, 0: none */
    uint64_t room;
    Py_ssize_t count;
} Tasks;

enum { AHEAD = 1024, TIMES = 4 }; /* the table has room for so many ids per task */

static Py_ssize_t tasks_find(const Tasks *t, uint64_t a, uint64_t b)
{
    if (a == t->process && b < t->room) {
        return (Py_ssize_t)t->near[b] - 1;
    }
    MapEntry *e = map_find(&t->far, a, b);
    return e ? (Py_ssize_t)e->value : -1;
}

/* Room for an id, with what the map has within it; -1 with an exception set. */
static int tasks_reserve(Tasks *t, uint64_t id)
{
    uint64_t most = (uint64_t)t->count * TIMES + AHEAD, room = most * 2;
    if (id < t->room || id >= most) {
        return 0;
    }
    int32_t *grown = PyMem_RawRealloc(t->near, room * sizeof *grown);
    if (!grown) {
        PyErr_NoMemory();
        return -1;
    }
    memset(grown + t->room, 0, (room - t->room) * sizeof *grown);
    t->near = grown;
    t->room = room;
    for (size_t i = 0; i < t->far.count; i++) {
        const MapEntry *e = &t->far.entries[i];
        if (e->a == t->process && e->b < room) {
            grown[e->b] = (int32_t)e->value + 1;
        }
    }
    return 0;
}

/* The task with this key, which is the next one if it is new; -1 with an exception set. */
static Py_ssize_t tasks_put(Tasks *t, uint64_t a, uint64_t b)
{
    if (!t->count) {
        t->process = a;
    }
    Py_ssize_t known = tasks_find(t, a, b);
    if (known >= 0) {
        return known;
    }
    if (a == t->process && tasks_reserve(t, b) < 0) {
        return -1;
    }
    if (a == t->process && b < t->room) {
        t->near[b] = (int32_t)t->count + 1;
        return t->count++;
    }
    int fresh;
    return map_put(&t->far, a, b, t->count, &fresh) ? t->count++ : -1;
}

static void tasks_free(Tasks *t)
{
    map_free(&t->far);
    PyMem_RawFree(t->near);
}

/* The task with this key, created if new; -1 with an exception set. */
static int32_t put_task(Column *out, Tasks *tasks, uint64_t a, uint64_t b, int32_t process,
                        Py_ssize_t slice)
{
    Py_ssize_t next = tasks->count, task = tasks_put(tasks, a, b);
    if (task < 0) {
        return -1;
    }
    if (task == next
        && (push_i64(&out[TASK_ID], a & ANONYMOUS ? -1 : (int64_t)b) < 0
            || push_i32(&out[TASK_PROCESS], process) < 0
            || push_i32(&out[TASK_HEAD], (int32_t)slice) < 0 || push_i32(&out[TASK_NAME], -1) < 0
            || push_i32(&out[TASK_CORO], -1) < 0 || push_i32(&out[TASK_SITE], -1) < 0
            || push_i64(&out[TASK_PARENT], -1) < 0)) {
        return -1;
    }
    return (int32_t)task;
}

/* Takes from the begin of a slice what it says about its task: the newest name, the first of the rest. */
static void learn(const Source *s, Column *out, int32_t task, Py_ssize_t slice)
{
    int32_t name = find_text(s, slice, SYM_ARG_NAME);
    if (name >= 0) {
        I32(out[TASK_NAME])[task] = name;
    }
    if (I32(out[TASK_CORO])[task] < 0) {
        I32(out[TASK_CORO])[task] = find_text(s, slice, SYM_ARG_CORO);
    }
    if (I32(out[TASK_SITE])[task] < 0) {
        I32(out[TASK_SITE])[task] = find_text(s, slice, SYM_ARG_SITE);
    }
    int32_t parent = find_number(s, slice, SYM_ARG_PARENT);
    if (I64(out[TASK_PARENT])[task] < 0 && parent >= 0) {
        I64(out[TASK_PARENT])[task] = s->arg_value[parent];
    }
}

/* First pass: kinds of all slices, owners of the task slices. */
static int find_tasks(const Source *s, Column *out, Tasks *tasks, int32_t *track_task)
{
    for (Py_ssize_t i = 0; i < s->slices; i++) {
        int32_t event = s->slice_event[i], track = s->event_track[event];
        int32_t category = s->event_category[event], name = s->event_name[event];
        int name_kind = name < 0 ? 0 : s->name_kind[name];
        int is_lifetime = category == s->symbols[SYM_LIFETIME];
        int kind = KIND_OTHER;
        int32_t owner = -1;
        if (category == s->symbols[SYM_GC]) {
            kind = KIND_GC;
        } else if (category == s->symbols[SYM_LOOP]) {
            kind = KIND_LOOP_CALLBACK; /* until the second pass */
        } else if (is_lifetime || (category == s->symbols[SYM_TASK] && name_kind >= KIND_READY
                                   && name_kind <= KIND_AWAIT)) {
            kind = is_lifetime ? KIND_LIFETIME : name_kind;
            int32_t process = s->track_process[track], parent = s->parent[i];
            int32_t id = find_number(s, i, SYM_ARG_TASK);
            if (id >= 0) {
                owner = put_task(out, tasks, (uint32_t)process, s->arg_value[id], process, i);
                if (owner < 0) {
                    return -1;
                }
                if (!is_lifetime && parent < 0) {
                    track_task[track] = owner;
                }
            } else if (parent >= 0 && I32(out[OWNER])[parent] >= 0) {
                owner = I32(out[OWNER])[parent];
            } else if (track_task[track] >= 0) {
                owner = track_task[track];
            } else {
                owner = put_task(out, tasks, ANONYMOUS, (uint64_t)track, process, i);
                if (owner < 0) {
                    return -1;
                }
                track_task[track] = owner;
            }
            learn(s, out, owner, i);
        }
        if (push_u8(&out[KIND], (uint8_t)kind) < 0 || push_i32(&out[OWNER], owner) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Tasks of the same coroutine and site form a group; an unknown coroutine, one per track. */
static int group_tasks(const Source *s, Column *out)
{
    Map groups = {0};
    int status = 0;
    for (Py_ssize_t t = 0; t < out[TASK_HEAD].used / 4 && status == 0; t++) {
        int32_t coro = I32(out[TASK_CORO])[t], head = I32(out[TASK_HEAD])[t];
        int32_t track = s->event_track[s->slice_event[head]];
        int fresh;
        MapEntry *e = map_put(&groups, coro < 0 ? ANONYMOUS | (uint32_t)track : (uint32_t)coro,
                              coro < 0 ? 0 : (uint32_t)I32(out[TASK_SITE])[t],
                              out[GROUP_HEAD].used / 4, &fresh);
        if (!e || (fresh && push_i32(&out[GROUP_HEAD], (int32_t)t) < 0)
            || push_i32(&out[TASK_GROUP], (int32_t)e->value) < 0) {
            status = -1;
        }
    }
    map_free(&groups);
    return status;
}

/* Who woke the task whose `ready` slice this is: (kind << 40 | value). */
static int64_t waker_code(const Source *s, const Column *out, const Tasks *tasks, Py_ssize_t i)
{
    int32_t a = find_number(s, i, SYM_ARG_WAKER_TASK);
    if (a >= 0) {
        int32_t process = s->track_process[s->event_track[s->slice_event[i]]];
        Py_ssize_t task = tasks_find(tasks, (uint32_t)process, (uint64_t)s->arg_value[a]);
        return task >= 0 ? WAKER(WAKER_GROUP, I32(out[TASK_GROUP])[task]) : WAKER(WAKER_LOST, 0);
    }
    a = find_number(s, i, SYM_ARG_WAKER_THREAD);
    if (a >= 0) {
        return WAKER(WAKER_THREAD, (uint32_t)s->arg_value[a]);
    }
    int32_t text = find_text(s, i, SYM_ARG_WAKER);
    return text >= 0 ? WAKER(WAKER_TEXT, text) : WAKER(WAKER_NONE, 0);
}

/* Second pass: owners of the loop slices, codes of waits. Loop slices may precede the task's own
 * first slice, so this needs all tasks. */
static int find_occupants(const Source *s, Column *out, const Tasks *tasks, Map *calls)
{
    for (Py_ssize_t i = 0; i < s->slices; i++) {
        int32_t event = s->slice_event[i], name = s->event_name[event];
        int64_t code = -1;
        switch (((uint8_t *)out[KIND].data)[i]) {
        case KIND_READY: code = waker_code(s, out, tasks, i); break;
        case KIND_AWAIT: code = name; break;
        case KIND_LOOP_CALLBACK: {
            int32_t id = find_number(s, i, SYM_ARG_TASK);
            if (id < 0 && name >= 0 && s->name_kind[name] == KIND_SELECT) {
                out[KIND].data[i] = KIND_SELECT;
                break;
            }
            int32_t process = s->track_process[s->event_track[event]];
            Py_ssize_t task = id < 0 ? -1
                                     : tasks_find(tasks, (uint32_t)process,
                                                  (uint64_t)s->arg_value[id]);
            if (task >= 0) {
                out[KIND].data[i] = KIND_LOOP_TASK;
                I32(out[OWNER])[i] = (int32_t)task;
                break;
            }
            int32_t site = find_text(s, i, SYM_ARG_SITE);
            int fresh;
            MapEntry *e = map_put(calls, (uint32_t)name, (uint64_t)(uint32_t)site << 1 | (id >= 0),
                        out[CALL_NAME].used / 4, &fresh);
            if (!e || (fresh && (push_i32(&out[CALL_NAME], name) < 0
                                 || push_i32(&out[CALL_SITE], site) < 0
                                 || push_i32(&out[CALL_HEAD], (int32_t)i) < 0
                                 || push_u8(&out[CALL_IS_TASK], id >= 0) < 0))) {
                return -1;
            }
            I32(out[OWNER])[i] = (int32_t)e->value;
        }
        }
        if (push_i64(&out[CODE], code) < 0) {
            return -1;
        }
    }
    return 0;
}

/* Checks that lengths and indexes of the columns agree. Returns -1 with an exception set if not. */
static int check_source(const Inputs *in, const Source *s)
{
    Py_ssize_t events = in->length[2], args = in->length[6], tracks = in->length[9];
    if (in->length[1] != s->slices || in->length[3] != events || in->length[4] != events
        || in->length[5] != events + 1 || in->length[7] != args || in->length[8] != args
        || in->length[10] != SYM_COUNT) {
        return bad_columns();
    }
    for (Py_ssize_t i = 0; i < s->slices; i++) {
        if (s->parent[i] >= i) {
            return bad_columns();
        }
    }
    for (Py_ssize_t i = 0; i < events; i++) {
        if (s->arg_start[i] > s->arg_start[i + 1]) {
            return bad_columns();
        }
    }
    if (s->arg_start[0] < 0 || s->arg_start[events] > args) {
        return bad_columns();
    }
    return check_range(s->slice_event, s->slices, 0, events) < 0
                   || check_range(s->event_track, events, 0, tracks) < 0
                   || check_range(s->event_name, events, -1, s->strings) < 0 ? -1 : 0;
}

/* assign(slice_event, parent, event_track, event_name, event_category, arg_start, arg_name,
 * arg_kind, arg_value, track_process, symbols, name_kind) */
PyObject *assign(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Column out[ASSIGN_COLUMNS] = {0};
    Tasks tasks = {0};
    Map calls = {0};
    int32_t *track_task = NULL;
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iiiiiiiBqiiB") < 0) {
        goto done;
    }
    Source s = {in.view[0].buf, in.view[1].buf, in.view[2].buf, in.view[3].buf,
                in.view[4].buf, in.view[5].buf, in.view[6].buf, in.view[7].buf,
                in.view[8].buf, in.view[9].buf, in.view[10].buf, in.view[11].buf,
                in.length[0], in.length[11]};
    if (check_source(&in, &s) < 0) {
        goto done;
    }
    track_task = PyMem_RawMalloc(in.length[9] * sizeof *track_task + 1);
    if (!track_task) {
        PyErr_NoMemory();
        goto done;
    }
    memset(track_task, 0xFF, in.length[9] * sizeof *track_task);
    if (find_tasks(&s, out, &tasks, track_task) < 0 || group_tasks(&s, out) < 0
        || find_occupants(&s, out, &tasks, &calls) < 0) {
        goto done;
    }
    result = take_columns(out, "BiqqiiiiiqiiiiBi");
done:
    PyMem_RawFree(track_task);
    tasks_free(&tasks);
    map_free(&calls);
    free_columns(out, ASSIGN_COLUMNS);
    inputs_free(&in);
    return result;
}
