/* Speed-up of states.py, the Python twin: what threads did and who had the locks. */
#include "columns.h"

/* Order of the `symbols` argument: string indexes, -2 when the trace has no such string. */
enum { SYM_LOCK, SYM_SITE, SYM_OWNER, SYM_OWNER_TASK, SYM_OWNER_NAME, SYM_OWNER_SITE,
       SYM_ACQUIRED, SYM_KIND, SYM_HOLDING_GIL, SYM_CONTINUES, SYM_BYTES, SYM_RELEASE, SYM_ATTACHED,
       SYM_COUNT };

#define ANONYMOUS ((uint64_t)1 << 63)
#define PAIR(high, low) ((uint64_t)(uint32_t)(high) << 32 | (uint32_t)(low))

typedef struct {
    const int32_t *slice_event, *end_event;
    const int64_t *start, *end;
    const int32_t *event_track, *event_name, *event_category;
    const int32_t *arg_start, *arg_name;
    const uint8_t *arg_kind;
    const int64_t *arg_value;
    const int32_t *track_process, *track_thread, *symbols;
    const uint8_t *category_state, *name_state; /* by string: a state or 0 */
    const uint8_t *owner_kind;
    const int32_t *owner;
    const int32_t *flow_event;
    const uint64_t *flow_id;
    const uint8_t *flow_end;
    Py_ssize_t slices, events, strings, flows, threads;
    struct Told *told;
} Source;

/* Where one slice has its arguments, by symbol; found together, since most are asked for. */
typedef struct Told {
    Py_ssize_t slice;            /* -1 none yet */
    int32_t at[2][SYM_COUNT];    /* numbers, texts; -1 without */
    uint8_t *symbol_of;          /* by string: a symbol + 1, or 0 */
} Told;

enum { START, END, BUSY_END, STATE, SLICE, WHO, ROW, OWNER, SITE, WAKER, FIRST, LAST, CALL_PROCESS,
       CALL_NAME, CALL_SITE, CALL_BYTES, LOCK_ID, LOCK_PROCESS, LOCK_NAME, LOCK_SITE,
       LOCK_KIND, OWNER_ID, OWNER_PROCESS, OWNER_IS_TASK, OWNER_NAME, OWNER_SITE, COLUMNS };
#define FORMATS "qqqBiiiiiiqqiiiqqiiiiqiBii"

typedef struct {
    Column out[COLUMNS];
    Map calls, locks, owners;
    Map released;     /* flow id -> thread that released a lock */
    int32_t *granted; /* by event that its flow reaches first: that thread + 2, else 0; NULL without */
    int32_t *last_row, *last_call; /* by thread: its newest state; the first piece of a call */
    Column last_hold;              /* i, by lock */
} Work;

#define I32(column) ((int32_t *)(column).data)
#define I64(column) ((int64_t *)(column).data)

static void look_at(const Source *s, Py_ssize_t slice)
{
    const int32_t sides[] = {s->end_event[slice], s->slice_event[slice]};
    Told *told = s->told;
    told->slice = slice;
    memset(told->at, 0xFF, sizeof told->at);
    for (int side = 0; side < 2; side++) {
        int32_t event = sides[side];
        for (int32_t a = event < 0 ? 0 : s->arg_start[event];
             event >= 0 && a < s->arg_start[event + 1]; a++) {
            int32_t name = s->arg_name[a];
            int symbol = name < 0 || name >= s->strings ? 0 : told->symbol_of[name];
            if (!symbol || s->arg_kind[a] == ARG_KIND_DOUBLE) {
                continue;
            }
            int32_t *at = &told->at[s->arg_kind[a] == ARG_KIND_STRING][symbol - 1];
            *at = *at < 0 ? a : *at;
        }
    }
}

/* Index of an argument of the slice, of its END rather than its BEGIN, as text or as number. */
static inline int32_t find_arg(const Source *s, Py_ssize_t slice, int symbol, int text)
{
    if (s->told->slice != slice) {
        look_at(s, slice);
    }
    return s->told->at[text][symbol];
}

static int32_t find_text(const Source *s, Py_ssize_t slice, int symbol)
{
    int32_t a = find_arg(s, slice, symbol, 1);
    return a < 0 ? -1 : (int32_t)s->arg_value[a];
}

static int is_true(const Source *s, Py_ssize_t slice, int symbol)
{
    int32_t a = find_arg(s, slice, symbol, 0);
    return a >= 0 && s->arg_value[a] != 0;
}

/* The owner of the lock, by process, id, name and place; -1 unknown, -2 with an exception set. A hold
 * always has a name. */
static int32_t put_owner(const Source *s, Work *w, Py_ssize_t i, int state, int32_t name,
                         int32_t site)
{
    int32_t thread = find_arg(s, i, SYM_OWNER, 0), task = find_arg(s, i, SYM_OWNER_TASK, 0);
    int32_t argument = task >= 0 ? task : thread;
    if (argument < 0 && state != STATE_HOLD) {
        return -1;
    }
    int64_t id = argument < 0 ? -1 : s->arg_value[argument];
    int32_t process = s->track_process[s->event_track[s->slice_event[i]]];
    int fresh;
    Column *out = w->out;
    /* ids stay below 2^47: the process has the bits above */
    MapEntry *e = map_put(&w->owners,
                          ((uint64_t)id << 1 | (task >= 0)) ^ (uint64_t)(uint32_t)process << 48,
                          PAIR(name, site), out[OWNER_NAME].used / 4, &fresh);
    if (!e || (fresh && (push_i64(&out[OWNER_ID], id) < 0
                         || push_i32(&out[OWNER_PROCESS], process) < 0
                         || push_u8(&out[OWNER_IS_TASK], task >= 0) < 0
                         || push_i32(&out[OWNER_NAME], name) < 0
                         || push_i32(&out[OWNER_SITE], site) < 0))) {
        return -2;
    }
    return (int32_t)e->value;
}

/* The lock of a wait or hold; one without an id is known by name and site. */
static int32_t put_lock(const Source *s, Work *w, Py_ssize_t i, int state, int32_t site)
{
    int32_t event = s->slice_event[i], name = s->event_name[event];
    int32_t process = s->track_process[s->event_track[event]];
    int32_t id = find_arg(s, i, SYM_LOCK, 0);
    int fresh;
    Column *out = w->out;
    MapEntry *e = map_put(&w->locks, (uint32_t)process | (id < 0 ? ANONYMOUS : 0),
                          id < 0 ? PAIR(name, site) : (uint64_t)s->arg_value[id],
                          out[LOCK_NAME].used / 4, &fresh);
    if (!e || (fresh && (push_i64(&out[LOCK_ID], id < 0 ? -1 : s->arg_value[id]) < 0
                         || push_i32(&out[LOCK_PROCESS], process) < 0
                         || push_i32(&out[LOCK_NAME], -1) < 0
                         || push_i32(&out[LOCK_SITE], -1) < 0
                         || push_i32(&out[LOCK_KIND], -1) < 0
                         || push_i32(&w->last_hold, -1) < 0))) {
        return -1;
    }
    int32_t lock = (int32_t)e->value;
    if (I32(out[LOCK_KIND])[lock] < 0) {
        I32(out[LOCK_KIND])[lock] = find_text(s, i, SYM_KIND);
    }
    if (state != STATE_HOLD && I32(out[LOCK_NAME])[lock] < 0) {
        I32(out[LOCK_NAME])[lock] = name;
        I32(out[LOCK_SITE])[lock] = site;
    }
    return lock;
}

static int32_t put_call(const Source *s, Work *w, Py_ssize_t i, int32_t site)
{
    int32_t event = s->slice_event[i], name = s->event_name[event];
    int32_t process = s->track_process[s->event_track[event]];
    int32_t bytes = find_arg(s, i, SYM_BYTES, 0);
    int fresh;
    Column *out = w->out;
    MapEntry *e = map_put(&w->calls, (uint32_t)process, PAIR(name, site),
                          out[CALL_NAME].used / 4, &fresh);
    if (!e || (fresh && (push_i32(&out[CALL_PROCESS], process) < 0
                         || push_i32(&out[CALL_NAME], name) < 0
                         || push_i32(&out[CALL_SITE], site) < 0
                         || push_i64(&out[CALL_BYTES], -1) < 0))) {
        return -1;
    }
    if (bytes >= 0 && s->arg_value[bytes] >= 0) {
        int64_t *sum = &I64(out[CALL_BYTES])[e->value];
        uint64_t more = (uint64_t)(*sum < 0 ? 0 : *sum) + (uint64_t)s->arg_value[bytes];
        *sum = more > INT64_MAX ? INT64_MAX : (int64_t)more;
    }
    return (int32_t)e->value;
}

/* Ends an open state where the next one begins: its own end was lost. */
static void cut(Work *w, int32_t row, int64_t at)
{
    if (row >= 0 && I64(w->out[END])[row] > at) {
        I64(w->out[END])[row] = at;
    }
}

/* Ties the state to those before it on its thread. */
static void follow(const Source *s, Work *w, Py_ssize_t i, int32_t thread, int state, int32_t row)
{
    int32_t before = w->last_row[thread], number = (int32_t)(w->out[WHO].used / 4) - 1;
    if (before < 0) {
        I64(w->out[FIRST])[thread] = s->start[i];
    } else {
        cut(w, before, s->start[i]);
        int was = (uint8_t)w->out[STATE].data[before] & STATE_MASK;
        int32_t by = (was == STATE_LOCK_WAIT || was == STATE_IDLE_WAIT) && w->granted
                             && I64(w->out[END])[before] == s->start[i]
                         ? w->granted[s->slice_event[i]] : 0;
        if (by) {
            I32(w->out[WAKER])[before] = by - 2;
        }
    }
    if ((state & STATE_MASK) == STATE_IO) {
        int32_t first = w->last_call[thread];
        if ((state & STATE_CONTINUES) && first >= 0 && I32(w->out[ROW])[first] == row) {
            w->out[STATE].data[number] = (char)state;
        } else {
            w->out[STATE].data[number] = (char)(state & ~STATE_CONTINUES);
            w->last_call[thread] = number;
        }
    }
    w->last_row[thread] = number;
}

/* One slice: a row, if it is a state. */
static int add_state(const Source *s, Work *w, Py_ssize_t i)
{
    int32_t event = s->slice_event[i], track = s->event_track[event];
    int32_t category = s->event_category[event], name = s->event_name[event];
    int state = category < 0 ? 0 : s->category_state[category];
    int named = name < 0 ? 0 : s->name_state[name];
    int32_t who = s->track_thread[track], row = -1, owner = -1, site = -1;
    if (s->owner_kind[i] == KIND_AWAIT) {
        if (find_arg(s, i, SYM_LOCK, 0) < 0) {
            return 0;
        }
        state = STATE_TASK_WAIT;
        who = s->owner[i];
    } else if (state == STATE_RUNNING) { /* of the category `thread`: the name says which */
        state = named >= STATE_RUNNING && named <= STATE_OFF_CPU ? named : 0;
    } else if (state == STATE_LOCK_WAIT && named == STATE_IDLE_WAIT) {
        state = named;
    }
    if (state == STATE_HOLD) {
        who = -1;
    } else if (state == 0 || who < 0) {
        return 0;
    }
    if (state >= STATE_LOCK_WAIT) {
        site = find_text(s, i, SYM_SITE);
    }
    int mode = 0; /* how the GIL is held, if it is: running, preempted, off cpu, io */
    switch (state) {
    case STATE_RUNNING: state |= name == s->symbols[SYM_ATTACHED] ? 0 : STATE_HOLDING; break;
    case STATE_PREEMPTED: mode = 1; break;
    case STATE_OFF_CPU: mode = 2; break;
    case STATE_IO: mode = 3; /* fall through */
    case STATE_SLEEP:
        row = put_call(s, w, i, site);
        if (row < 0) {
            return -1;
        }
        state |= is_true(s, i, SYM_CONTINUES) && state == STATE_IO ? STATE_CONTINUES : 0;
        break;
    case STATE_LOCK_WAIT: case STATE_IDLE_WAIT: case STATE_TASK_WAIT: case STATE_HOLD: {
        int32_t by = state == STATE_HOLD ? name : find_text(s, i, SYM_OWNER_NAME);
        int32_t at = state == STATE_HOLD ? site : find_text(s, i, SYM_OWNER_SITE);
        owner = put_owner(s, w, i, state, by, at);
        row = owner < -1 ? -1 : put_lock(s, w, i, state, site);
        if (row < 0) {
            return -1;
        }
        if (state == STATE_HOLD) {
            int32_t *last = &I32(w->last_hold)[row];
            cut(w, *last, s->start[i]);
            *last = (int32_t)(w->out[WHO].used / 4);
            break;
        }
        state = state == STATE_IDLE_WAIT && owner >= 0 ? STATE_LOCK_WAIT : state;
        int32_t acquired = find_arg(s, i, SYM_ACQUIRED, 0);
        state |= acquired >= 0 && s->arg_value[acquired] == 0 ? STATE_FAILED : 0;
    }
    }
    if (mode && is_true(s, i, SYM_HOLDING_GIL)) {
        state |= STATE_HOLDING;
    }
    if (state & STATE_HOLDING) {
        owner = who * HOLDING_MODES + mode;
    }
    Column *out = w->out;
    if (push_i64(&out[START], s->start[i]) < 0 || push_i64(&out[END], s->end[i]) < 0
        || push_u8(&out[STATE], (uint8_t)state) < 0 || push_i32(&out[SLICE], (int32_t)i) < 0
        || push_i32(&out[WHO], who) < 0
        || push_i32(&out[ROW], row) < 0 || push_i32(&out[OWNER], owner) < 0
        || push_i32(&out[SITE], site) < 0 || push_i32(&out[WAKER], -1) < 0) {
        return -1;
    }
    if (who >= 0 && (state & STATE_MASK) != STATE_TASK_WAIT) {
        follow(s, w, i, who, state, row);
    }
    return 0;
}

/* Which events are reached by the flow of a release, and from which thread. */
static int find_grants(const Source *s, Work *w)
{
    int fresh;
    for (Py_ssize_t f = 0; f < s->flows; f++) {
        int32_t event = s->flow_event[f];
        if (!s->flow_end[f] && s->event_name[event] == s->symbols[SYM_RELEASE]
            && !map_put(&w->released, s->flow_id[f], 0,
                        s->track_thread[s->event_track[event]], &fresh)) {
            return -1;
        }
    }
    w->granted = w->released.count ? PyMem_RawCalloc(s->events, sizeof *w->granted) : NULL;
    if (w->released.count && !w->granted) {
        PyErr_NoMemory();
        return -1;
    }
    for (Py_ssize_t f = 0; w->granted && f < s->flows; f++) {
        if (f + FETCHED_AHEAD < s->flows) {
            map_fetch(&w->released, s->flow_id[f + FETCHED_AHEAD], 0);
        }
        MapEntry *e = s->flow_end[f] ? map_find(&w->released, s->flow_id[f], 0) : NULL;
        if (e && !w->granted[s->flow_event[f]]) {
            w->granted[s->flow_event[f]] = (int32_t)e->value + 2;
        }
    }
    return 0;
}

/* Adds the further pieces of a call to its first, and finds when each thread was last seen. */
static int finish(const Source *s, Work *w)
{
    Column *out = w->out;
    Py_ssize_t rows = out[WHO].used / 4;
    if (column_reserve(&out[BUSY_END], rows * 8) < 0) {
        return -1;
    }
    out[BUSY_END].used = rows * 8;
    memset(w->last_call, 0xFF, s->threads * sizeof *w->last_call);
    for (Py_ssize_t r = 0; r < rows; r++) {
        int64_t end = I64(out[END])[r];
        int state = (uint8_t)out[STATE].data[r], base = state & STATE_MASK;
        int32_t who = I32(out[WHO])[r];
        I64(out[BUSY_END])[r] = end;
        if (base == STATE_HOLD || base == STATE_TASK_WAIT) {
            continue;
        }
        if (I64(out[LAST])[who] < end) {
            I64(out[LAST])[who] = end;
        }
        if (state & STATE_CONTINUES) {
            I64(out[BUSY_END])[w->last_call[who]] += end - I64(out[START])[r];
        } else if (base == STATE_IO) {
            w->last_call[who] = (int32_t)r;
        }
    }
    return 0;
}

/* Checks that lengths and indexes of the columns agree. Returns -1 with an exception set if not. */
static int check_source(const Inputs *in, const Source *s)
{
    Py_ssize_t args = in->length[8], tracks = in->length[11], n = s->slices;
    if (in->length[1] != n || in->length[2] != n || in->length[3] != n || in->length[16] != n
        || in->length[17] != n || in->length[5] != s->events || in->length[6] != s->events
        || in->length[7] != s->events + 1 || in->length[9] != args || in->length[10] != args
        || in->length[12] != tracks || in->length[13] != SYM_COUNT
        || in->length[15] != s->strings || in->length[19] != s->flows
        || in->length[20] != s->flows || s->threads < 0) {
        return bad_columns();
    }
    for (Py_ssize_t i = 0; i < s->events; i++) {
        if (s->arg_start[i] > s->arg_start[i + 1]) {
            return bad_columns();
        }
    }
    if (s->arg_start[0] < 0 || s->arg_start[s->events] > args) {
        return bad_columns();
    }
    return check_range(s->slice_event, n, 0, s->events) < 0
                   || check_range(s->end_event, n, -1, s->events) < 0
                   || check_range(s->event_track, s->events, 0, tracks) < 0
                   || check_range(s->event_name, s->events, -1, s->strings) < 0
                   || check_range(s->event_category, s->events, -1, s->strings) < 0
                   || check_range(s->track_thread, tracks, -1, s->threads) < 0
                   || check_range(s->flow_event, s->flows, 0, s->events) < 0 ? -1 : 0;
}

/* states(slice_event, end_event, start, end, event_track, event_name, event_category, arg_start,
 * arg_name, arg_kind, arg_value, track_process, track_thread, symbols, category_state,
 * name_state, owner_kind, owner, flow_event, flow_id, flow_end, threads) */
PyObject *states(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    Inputs in;
    Work w = {0};
    Told told = {.slice = -1};
    PyObject *result = NULL;
    if (inputs_get(&in, args, nargs, "iiqqiiiiiBqiiiBBBiiQBn") < 0) {
        goto done;
    }
    Source s = {in.view[0].buf, in.view[1].buf, in.view[2].buf, in.view[3].buf,
                in.view[4].buf, in.view[5].buf, in.view[6].buf, in.view[7].buf,
                in.view[8].buf, in.view[9].buf, in.view[10].buf, in.view[11].buf,
                in.view[12].buf, in.view[13].buf, in.view[14].buf, in.view[15].buf,
                in.view[16].buf, in.view[17].buf, in.view[18].buf, in.view[19].buf,
                in.view[20].buf, in.length[0], in.length[4], in.length[14], in.length[18],
                in.number[21], &told};
    if (check_source(&in, &s) < 0) {
        goto done;
    }
    told.symbol_of = PyMem_RawCalloc(s.strings + 1, 1);
    for (int symbol = 0; told.symbol_of && symbol < SYM_COUNT; symbol++) {
        if (s.symbols[symbol] >= 0 && s.symbols[symbol] < s.strings) {
            told.symbol_of[s.symbols[symbol]] = (uint8_t)(symbol + 1);
        }
    }
    w.last_row = PyMem_RawMalloc(s.threads * sizeof *w.last_row + 1);
    w.last_call = PyMem_RawMalloc(s.threads * sizeof *w.last_call + 1);
    if (!w.last_row || !w.last_call || !told.symbol_of) {
        PyErr_NoMemory();
        goto done;
    }
    memset(w.last_row, 0xFF, s.threads * sizeof *w.last_row);
    memset(w.last_call, 0xFF, s.threads * sizeof *w.last_call);
    if (column_fill(&w.out[FIRST], s.threads * 8, 0) < 0
        || column_fill(&w.out[LAST], s.threads * 8, 0) < 0 || find_grants(&s, &w) < 0) {
        goto done;
    }
    for (Py_ssize_t i = 0; i < s.slices; i++) {
        if (add_state(&s, &w, i) < 0) {
            goto done;
        }
    }
    result = finish(&s, &w) < 0 ? NULL : take_columns(w.out, FORMATS);
done:
    PyMem_RawFree(told.symbol_of);
    PyMem_RawFree(w.last_row);
    PyMem_RawFree(w.last_call);
    map_free(&w.calls);
    map_free(&w.locks);
    map_free(&w.owners);
    map_free(&w.released);
    PyMem_RawFree(w.granted);
    Py_CLEAR(w.last_hold.bytes);
    free_columns(w.out, COLUMNS);
    inputs_free(&in);
    return result;
}
