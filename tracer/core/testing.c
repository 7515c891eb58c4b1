/* What only tests call: the core's parts driven by hand, and its constants. */
#include "testing.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output/killed.h"
#include "output/places.h"
#include "output/triggers.h"
#include "output/writer.h"
#include "packets/samples.h"
#include "ring/intern.h"
#include "ring/map.h"
#include "ring/ring.h"
#include "sampler/rings.h"
#include "schema.h"
#include "signals/asyncio/found.h"
#include "signals/asyncio/tasks.h"
#include "signals/kernel/kernel.h"
#include "signals/kernel/rings.h"
#include "timeline/cuts.h"
#include "timeline/head.h"
#include "timeline/lanes.h"
#include "timeline/status.h"
#include "timeline/timeline.h"

/* --- timeline, ring, intern, clock --- */

static uint64_t time_of(PyObject *item)
{
    return PyTuple_Check(item) && PyTuple_GET_SIZE(item) > 1 ? PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(item, 1)) : 0;
}

/* As the writer begins another file of a flight recording. */
static void begin_anew(timeline *t, uint64_t ns)
{
    timeline_settle(t);
    encoder_flushed(&t->out, 0);
    encoder_end_chunk(&t->out);
    encoder_begin_batch(&t->out, ns, ns + 1000, ns + 2000);
    timeline_head(t, ns);
    encoder_end_chunk(&t->out);
    encoder_begin_batch(&t->out, ns, ns + 1000, ns + 2000);
}

PyDoc_STRVAR(encode_doc, "encode(records, seed, since_ns=0, is_killed=False, gone_ns=0) -> bytes\n\n"
"For tests: the trace of the records (tid, ns, kind, flag, a, b, c, text), without threads; KERNEL is the kernel's state of\n"
"the thread, `flag`; with since_ns, that of a\n"
"flight recording whose oldest file begins then, and with gone_ns one before that; if it is killed, what waits for details stays unwritten.");

enum { TEST_THREADS = 16 };

static int feed(timeline *t, thread_line **threads, PyObject *item)
{
    unsigned int tid;
    unsigned long long ns;
    record r = {0};
    const char *text;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(item, "IKbbIKKy#", &tid, &ns, &r.kind, &r.flag, &r.a, &r.b, &r.c, &text, &length))
        return -1;
    int at = 0;
    while (at < TEST_THREADS - 1 && threads[at] && threads[at]->tid != tid)
        at++;
    if (!threads[at] && !(threads[at] = timeline_thread(t, tid, tid))) {
        PyErr_NoMemory();
        return -1;
    }
    if (length && r.b > (uint64_t)length) {
        PyErr_SetString(PyExc_ValueError, "text is shorter than it says");
        return -1;
    }
    if (r.kind == REC_KINDS) {
        timeline_kernel(t, tid, ns, (enum kernel_state)r.flag, 0);
        return 0;
    }
    timeline_record(t, threads[at], &r, ns, text);
    if (r.kind == REC_THREAD_EXIT) { /* no record of the thread follows: do as the writer does */
        timeline_thread_gone(t, threads[at]);
        memmove(&threads[at], &threads[at + 1], (TEST_THREADS - at - 1u) * sizeof *threads);
        threads[TEST_THREADS - 1] = NULL;
    }
    return 0;
}

/* What `finish` makes of the timeline when it has had all the records; the timeline ends with it. */
static PyObject *play(PyObject *args, PyObject *(*finish)(timeline *))
{
    PyObject *records;
    unsigned long long seed;
    unsigned long long since_ns = 0, gone_ns = 0;
    int is_killed = 0;
    if (!PyArg_ParseTuple(args, "O!K|KpK", &PyList_Type, &records, &seed, &since_ns, &is_killed, &gone_ns))
        return NULL;
    timeline t;
    thread_line *threads[TEST_THREADS] = {NULL};
    timeline_init(&t, 1, seed, 0, "test", 4);
    encoder_keep(&t.out, since_ns != 0);
    encoder_begin_batch(&t.out, 1000, 2000, 3000);
    PyObject *result = NULL;
    Py_ssize_t i = 0;
    for (; i < PyList_GET_SIZE(records); i++) {
        for (unsigned long long *of[] = {&gone_ns, &since_ns}, **file = of; file < of + 2; file++) {
            if (**file && time_of(PyList_GET_ITEM(records, i)) >= **file) {
                begin_anew(&t, **file);
                **file = 0;
            }
        }
        if (feed(&t, threads, PyList_GET_ITEM(records, i)) < 0)
            break;
        if (gone_ns)
            encoder_flushed(&t.out, 0);
    }
    if (i == PyList_GET_SIZE(records)) {
        const lane_present now = {.is_last = !is_killed};
        for (int at = 0; at < TEST_THREADS && threads[at]; at++)
            timeline_present(&t, threads[at], &now, t.out.last_ns);
        timeline_settle(&t);
        result = finish(&t);
    }
    for (int at = 0; at < TEST_THREADS; at++)
        if (threads[at])
            timeline_thread_gone(&t, threads[at]);
    timeline_free(&t);
    return result;
}

static PyObject *trace_of(timeline *t)
{
    return PyBytes_FromStringAndSize((const char *)t->out.bytes, (Py_ssize_t)t->out.length);
}

static PyObject *encode(PyObject *module, PyObject *args)
{
    (void)module;
    return play(args, trace_of);
}

PyDoc_STRVAR(status_doc, "status(records, seed) -> str\n\n"
"For tests: what `tracer metrics` would be told after the records of encode().");

static PyObject *status_of(timeline *t)
{
    json_text text = {0};
    json_put(&text, "{");
    timeline_status_write(t, t->out.last_ns, &text);
    json_put(&text, "}");
    PyObject *result = text.failed ? PyErr_NoMemory() : PyUnicode_FromStringAndSize(text.bytes, (Py_ssize_t)text.length);
    json_free(&text);
    return result;
}

static PyObject *status(PyObject *module, PyObject *args)
{
    (void)module;
    return play(args, status_of);
}

/* The answer to the question where the thread is: what the test gives, (ns, site). None: nobody answers. */
static int tell_place(PyObject *answer)
{
    const char *site;
    Py_ssize_t length;
    unsigned long long ns;
    if (answer == Py_None)
        return 0;
    if (!PyArg_ParseTuple(answer, "Ks#", &ns, &site, &length))
        return -1;
    triggers_place(intern_string(site, (size_t)length), intern_lines(site, (size_t)length), ns);
    return 0;
}

/* (ns, tid, [(path, line, function)]): a thread computed there, called by the later ones. */
static void take_samples(PyObject *list)
{
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); i++) {
        unsigned long long ns;
        unsigned int tid, line;
        PyObject *frames;
        const char *path, *function;
        if (!PyArg_ParseTuple(PyList_GET_ITEM(list, i), "KIO!", &ns, &tid, &PyList_Type, &frames))
            return;
        sample one = {.tid = (pid_t)tid, .periods = 1, .count = (uint32_t)PyList_GET_SIZE(frames)};
        for (uint32_t at = 0; at < one.count; at++) {
            if (!PyArg_ParseTuple(PyList_GET_ITEM(frames, (Py_ssize_t)at), "sIs", &path, &line, &function))
                return;
            one.places[at] =
                (sample_place){intern_string(function, strlen(function)), intern_string(path, strlen(path)), line};
        }
        places_sampled(NULL, &one, ns);
    }
}

static void add_moment(PyObject *found, const moment *m, uint64_t ns)
{
    PyObject *item = m ? Py_BuildValue("KsKKK", (unsigned long long)ns, m->taken.reason,
                                       (unsigned long long)m->taken.moment_ns,
                                       (unsigned long long)m->taken.moment_end_ns,
                                       (unsigned long long)m->taken.suppressed) : NULL;
    if (item)
        PyList_Append(found, item);
    Py_XDECREF(item);
}

PyDoc_STRVAR(look_doc, "look(records, looks, rss_bytes, answer, samples) -> [(ns, reason, since_ns, until_ns, suppressed)]\n\n"
"For tests: what the triggers that are set find in the records, when they look at these times. `answer`: (ns, site), where\n"
"the thread of a moment was when somebody asked; None: nobody can be asked. `samples`: (ns, tid,\n"
"[(path, line, function)]), the innermost first.");

static PyObject *look(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *records, *looks, *answer, *samples, *found = PyList_New(0);
    unsigned long long rss_bytes;
    if (!found || !PyArg_ParseTuple(args, "O!O!KOO!", &PyList_Type, &records, &PyList_Type, &looks, &rss_bytes, &answer,
                                    &PyList_Type, &samples))
        return NULL;
    timeline *t = aligned_alloc(_Alignof(timeline), sizeof *t);
    thread_line *threads[TEST_THREADS] = {NULL};
    if (!t)
        return PyErr_NoMemory();
    memset(t, 0, sizeof *t);
    timeline_init(t, 1, 1, 0, "test", 4);
    encoder_keep(&t->out, 1);
    triggers_begin(t);
    take_samples(samples);
    encoder_begin_batch(&t->out, 1000, 2000, 3000);
    Py_ssize_t i = 0;
    for (Py_ssize_t at = 0; at < PyList_GET_SIZE(looks) && !PyErr_Occurred(); at++) {
        uint64_t ns = PyLong_AsUnsignedLongLong(PyList_GET_ITEM(looks, at));
        for (; i < PyList_GET_SIZE(records) && time_of(PyList_GET_ITEM(records, i)) <= ns; i++)
            if (feed(t, threads, PyList_GET_ITEM(records, i)) < 0)
                break;
        for (int n = 0; n < TEST_THREADS; n++)
            if (threads[n]) {
                threads[n]->pthread = answer != Py_None;
                lane_reach(t, threads[n], ns);
            }
        timeline_settle(t);
        moment *m = triggers_look(t, ns, rss_bytes);
        if (m && !triggers_are_sure(m)) {
            if (m->looks == 1 && tell_place(answer) < 0)
                break;
            triggers_postpone();
            continue;
        }
        add_moment(found, m, ns);
    }
    if (PyList_GET_SIZE(looks)) {
        uint64_t end_ns = PyLong_AsUnsignedLongLong(PyList_GET_ITEM(looks, PyList_GET_SIZE(looks) - 1));
        add_moment(found, triggers_left(end_ns), end_ns);
    }
    triggers_end();
    for (int at = 0; at < TEST_THREADS; at++)
        if (threads[at])
            timeline_thread_gone(t, threads[at]);
    timeline_free(t);
    free(t);
    if (PyErr_Occurred())
        Py_CLEAR(found);
    return found;
}

PyDoc_STRVAR(look_due_doc, "look_due() -> int\n\nFor tests: until when, as of the last look, no trigger can fire, in ns.");

static PyObject *look_due(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromUnsignedLongLong(triggers_due_ns());
}

PyDoc_STRVAR(emit_doc, "emit(count, kind, a)\n\nFor tests: writes `count` records on the calling thread.");

static PyObject *emit(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long count;
    unsigned char kind;
    unsigned int a;
    if (!PyArg_ParseTuple(args, "KbI", &count, &kind, &a))
        return NULL;
    thread_buffer *b = ring_current();
    Py_BEGIN_ALLOW_THREADS
    for (unsigned long long i = 0; b && i < count; i++)
        ring_emit(b, clock_tick(), kind, 0, a, i, 0);
    Py_END_ALLOW_THREADS
    if (!b)
        return Py_BuildValue("KK", 0ull, 0ull);
    uint64_t dropped = atomic_load(&b->dropped);
    return Py_BuildValue("KK", (unsigned long long)(b->offered - dropped), (unsigned long long)dropped);
}

PyDoc_STRVAR(intern_doc, "intern(name, site) -> (string id, function id)\n\nFor tests.");

static PyObject *intern(PyObject *module, PyObject *args)
{
    (void)module;
    const char *name, *site;
    Py_ssize_t name_length, site_length;
    if (!PyArg_ParseTuple(args, "s#s#", &name, &name_length, &site, &site_length))
        return NULL;
    uint32_t id = intern_string(name, (size_t)name_length);
    uint32_t site_id = site_length ? intern_string(site, (size_t)site_length) : 0;
    return Py_BuildValue("II", id, intern_function(id, site_id));
}

PyDoc_STRVAR(fake_doc, "fake_clock(tick | None)\n\nFor tests: sets the recorder's clock to `tick`.");

static PyObject *fake_clock(PyObject *module, PyObject *tick)
{
    (void)module;
    static int before;
    if (clock_source_now != CLOCK_SOURCE_FAKE)
        before = clock_source_now;
    clock_source_now = tick == Py_None ? before : CLOCK_SOURCE_FAKE;
    if (tick != Py_None)
        clock_fake_tick = PyLong_AsUnsignedLongLong(tick);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* --- the kernel signal --- */

static void append_switch(void *list, uint32_t tid, uint64_t ns, enum kernel_state state, uint64_t lost)
{
    PyObject *item = Py_BuildValue("IKiK", tid, (unsigned long long)ns, (int)state, (unsigned long long)lost);
    if (item && !PyErr_Occurred())
        PyList_Append(list, item);
    Py_XDECREF(item);
}

PyDoc_STRVAR(kernel_feed_doc, "kernel_feed(until_ns, finish) -> [(tid, ns, state, lost)]\n\n"
"For tests, without a recording: what the writer would be told; to the end and closed if `finish`.");

static PyObject *feed_kernel(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned long long until_ns;
    int finish;
    if (!PyArg_ParseTuple(args, "Kp", &until_ns, &finish))
        return NULL;
    if (writer_running()) {
        PyErr_SetString(PyExc_RuntimeError, "the writer reads them");
        return NULL;
    }
    PyObject *list = PyList_New(0);
    if (!list)
        return NULL;
    kernel_source.feed(until_ns, append_switch, list);
    if (finish) {
        kernel_source.finish(append_switch, list);
        kernel_source.stop();
    }
    if (PyErr_Occurred())
        Py_CLEAR(list);
    return list;
}

PyDoc_STRVAR(kernel_merge_doc, "kernel_merge(rings, untils, pid, ignored) -> [(tid, ns, state, lost)]\n\n"
"For tests: what rings of (bytes, offset at which they begin) return when read up to each time.");

static PyObject *merge_kernel(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *images, *untils, *list = PyList_New(0);
    kernel_rings *k = calloc(1, sizeof *k);
    unsigned int ignored;
    if (!list || !k || !PyArg_ParseTuple(args, "O!O!II", &PyList_Type, &images, &PyList_Type, &untils,
                                         &k->pid, &ignored))
        goto done;
    k->ignored[0] = ignored;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(images) && i < KERNEL_CPUS; i++) {
        const char *bytes;
        Py_ssize_t length;
        unsigned long long at;
        kernel_ring *r = &k->rings[i];
        if (!PyArg_ParseTuple(PyList_GET_ITEM(images, i), "y#K", &bytes, &length, &at))
            goto done;
        for (r->size = 64; r->size < (uint64_t)length;)
            r->size *= 2;
        uint8_t *memory = calloc(1, sizeof *r->page + r->size);
        if (!memory)
            goto done;
        r->page = (struct perf_event_mmap_page *)memory;
        r->data = memory + sizeof *r->page;
        for (Py_ssize_t b = 0; b < length; b++)
            memory[sizeof *r->page + (at + (uint64_t)b) % r->size] = (uint8_t)bytes[b];
        r->at = r->page->data_tail = at;
        r->page->data_head = at + (uint64_t)length;
        k->count++;
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(untils); i++)
        kernel_rings_feed(k, PyLong_AsUnsignedLongLong(PyList_GET_ITEM(untils, i)), append_switch, list);
done:
    for (uint32_t i = 0; k && i < KERNEL_CPUS; i++)
        free(k->rings[i].page);
    free(k);
    if (PyErr_Occurred())
        Py_CLEAR(list);
    return list;
}

PyDoc_STRVAR(keeps_doc, "map_keeps(keys) -> list[bool]\n\n"
"For tests: whether a map finds each of the keys again, once all were put into it, and, last, whether it is\n"
"empty when all were removed.");

static PyObject *map_keeps(PyObject *module, PyObject *keys)
{
    (void)module;
    map kept = {0};
    PyObject *found = PyList_New(0);
    for (Py_ssize_t i = 0; found && i < PyList_GET_SIZE(keys); i++) {
        uint64_t key = PyLong_AsUnsignedLongLong(PyList_GET_ITEM(keys, i)), *value = map_put(&kept, key);
        if (value)
            *value = key + 1;
    }
    for (Py_ssize_t i = 0; found && i < PyList_GET_SIZE(keys); i++) {
        uint64_t key = PyLong_AsUnsignedLongLong(PyList_GET_ITEM(keys, i)), *value = map_find(&kept, key);
        if (PyList_Append(found, value && *value == key + 1 ? Py_True : Py_False) < 0)
            Py_CLEAR(found);
        map_remove(&kept, key);
    }
    if (found && PyList_Append(found, kept.used ? Py_False : Py_True) < 0)
        Py_CLEAR(found);
    map_free(&kept);
    return found;
}

/* --- a signal at the worst moment --- */

PyDoc_STRVAR(await_doc, "await_signal(fd)\n\n"
"For tests: waits for SIGTERM with a lock that the writer needs, having written a byte to the descriptor.");
PyDoc_STRVAR(limit_doc, "killed_limit(seconds, goes_on_ms=5)\n\n"
"For tests: how long SIGTERM waits for the writer at most, and is put off where a thread may hold what the writer needs.");

static PyObject *await_signal(PyObject *module, PyObject *descriptor)
{
    (void)module;
    int fd = PyObject_AsFileDescriptor(descriptor);
    sigset_t all, before, pending;
    const struct timespec pause = {.tv_nsec = 1000 * 1000};
    if (fd < 0)
        return NULL;
    sigfillset(&all);
    sigemptyset(&pending);
    int told;
    Py_BEGIN_ALLOW_THREADS
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&sampler.guard);
    atomic_store(&samples_look_every_ns, 0); /* the writer wants it in each pass, also in the last one */
    told = write(fd, "x", 1) == 1;
    while (told && !sigismember(&pending, SIGTERM)) {
        nanosleep(&pause, NULL);
        sigpending(&pending);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL); /* here it comes, and interrupts no call */
    pthread_mutex_unlock(&sampler.guard);
    Py_END_ALLOW_THREADS
    return told ? Py_NewRef(Py_None) : PyErr_SetFromErrno(PyExc_OSError);
}

static PyObject *set_killed_limit(PyObject *module, PyObject *args)
{
    (void)module;
    unsigned int limit, goes_on = 5;
    if (!PyArg_ParseTuple(args, "I|I", &limit, &goes_on))
        return NULL;
    atomic_store(&killed_limit_ns, (uint64_t)limit * 1000000000u);
    atomic_store(&killed_goes_on_ns, (uint64_t)goes_on * 1000000u);
    Py_RETURN_NONE;
}

/* --- constants: tests compare them with schema.py --- */

static int put_owned(PyObject *dict, const char *key, PyObject *value)
{
    int failed = value ? PyDict_SetItemString(dict, key, value) : -1;
    Py_XDECREF(value);
    return failed;
}

static int add_schema(PyObject *module)
{
    PyObject *numbers = PyDict_New(), *texts = PyDict_New(), *kinds = PyDict_New();
    int failed = !numbers || !texts || !kinds;
#define NUMBER(name, value) failed = failed || put_owned(numbers, #name, PyLong_FromLong(value)) < 0;
#define TEXT(name, text) failed = failed || put_owned(texts, #name, PyUnicode_FromString(text)) < 0;
    SCHEMA_NUMBERS(NUMBER)
    SCHEMA_TRACKS(TEXT)
    SCHEMA_CATEGORIES(TEXT)
    SCHEMA_NAMES(TEXT)
    SCHEMA_ARGS(TEXT)
    SCHEMA_HEAP_CATEGORIES(TEXT)
    SCHEMA_HEAP_NAMES(TEXT)
    SCHEMA_HEAP_ARGS(TEXT)
#define KIND(name) failed = failed || put_owned(kinds, #name, PyLong_FromLong(REC_##name)) < 0;
    KIND(GAP) KIND(TASK_NEW) KIND(TASK_NAME) KIND(TASK_DESTROYED) KIND(TASK_TOLD) KIND(READY) KIND(STEP_BEGIN)
    KIND(STEP_YIELD) KIND(STEP_AWAIT) KIND(STEP_SHORT) KIND(CB_SHORT) KIND(SWITCH) KIND(STEP_DONE) KIND(CB_READY) KIND(CB_BEGIN) KIND(CB_END)
    KIND(POLL_BEGIN) KIND(POLL_END) KIND(POLL_INSTANT) KIND(LOOP_RUN) KIND(LOOP_STOP) KIND(LOOP_CLOSED)
    KIND(THREAD_SPAWN) KIND(THREAD_BEGIN) KIND(THREAD_NAME) KIND(THREAD_EXIT) KIND(THREAD_FAILED) KIND(THREAD_ENDS)
    KIND(RAISED)
    KIND(STACK) KIND(STACKS) KIND(JOINED) KIND(JOB_SUBMIT) KIND(JOB_RUN) KIND(POOL_JOB) KIND(MESSAGE) KIND(ACCEPTED)
    KIND(ENTERED_FIRST) KIND(PRINTED)
    KIND(GC_BEGIN) KIND(GC_END)
    KIND(CALL) KIND(TAKE) KIND(HELD_CALL) KIND(CALL_BYTES) KIND(CALL_FAILED) KIND(CALL_OWN_PEER) KIND(LOCK_WAIT)
    KIND(LOCK_GOT) KIND(LOCK_ACQUIRED) KIND(LOCK_RELEASED) KIND(LOCK_FREED) KIND(REGION_BEGIN) KIND(REGION_END) KIND(OPERATION_BEGIN)
    KIND(OPERATION_END) KIND(LOG) KIND(COUNTER) KIND(CHILD) KIND(NOTE)
    KIND(HEAP_BEGIN) KIND(HEAP_TAKEN) KIND(HEAP_FREED) KIND(HEAP_RUNNING)
    failed = failed || put_owned(kinds, "KERNEL", PyLong_FromLong(REC_KINDS)) < 0; /* no record: a state of the kernel's */
    failed = failed || PyModule_AddObjectRef(module, "SCHEMA_NUMBERS", numbers) < 0 ||
             PyModule_AddObjectRef(module, "SCHEMA_TEXTS", texts) < 0 ||
             PyModule_AddObjectRef(module, "RECORD_KINDS", kinds) < 0;
    Py_XDECREF(numbers);
    Py_XDECREF(texts);
    Py_XDECREF(kinds);
    return failed ? -1 : 0;
}

int testing_exec(PyObject *module)
{
    return add_schema(module);
}

PyDoc_STRVAR(folder_doc, "no_task_folder()\n\nAs where /proc is not there: nothing lists this process's threads.");

static PyObject *no_task_folder(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    ring_task_folder = "/proc is not there";
    Py_RETURN_NONE;
}

PyDoc_STRVAR(steps_doc, "awaited_steps() -> int\n\nHow many steps and loops from before a recording have not shown themselves yet.");

static PyObject *awaited_steps(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyLong_FromLong(tasks_adopting + found_awaited);
}

PyMethodDef testing_methods[] = {
    {"awaited_steps", awaited_steps, METH_NOARGS, steps_doc},
    {"await_signal", await_signal, METH_O, await_doc},
    {"killed_limit", set_killed_limit, METH_VARARGS, limit_doc},
    {"map_keeps", map_keeps, METH_O, keeps_doc},
    {"no_task_folder", no_task_folder, METH_NOARGS, folder_doc},
    {"encode", encode, METH_VARARGS, encode_doc},
    {"status", status, METH_VARARGS, status_doc},
    {"look", look, METH_VARARGS, look_doc},
    {"look_due", look_due, METH_NOARGS, look_due_doc},
    {"emit", emit, METH_VARARGS, emit_doc},
    {"intern", intern, METH_VARARGS, intern_doc},
    {"fake_clock", fake_clock, METH_O, fake_doc},
    {"kernel_feed", feed_kernel, METH_VARARGS, kernel_feed_doc},
    {"kernel_merge", merge_kernel, METH_VARARGS, kernel_merge_doc},
    {NULL, NULL, 0, NULL},
};
