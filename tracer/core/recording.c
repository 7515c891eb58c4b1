/* Starting and stopping a recording, and the doors tests use to drive the parts by hand. */
#include "recording.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "output/writer.h"
#include "python/notes.h"
#include "ring/intern.h"
#include "ring/ring.h"
#include "sampler/sampler.h"
#include "schema.h"
#include "signals/gil/gil.h"
#include "signals/kernel/kernel.h"
#include "timeline/timeline.h"

/* fork() by whatever code: the child lets go of everything before it can do harm. */
static void after_fork_in_child(void)
{
    kernel_forget();
    ring_forget();
    sampler_forget();
    writer_forget();
    gil_forget_patching();
}

static void register_fork(void)
{
    pthread_atfork(NULL, NULL, after_fork_in_child);
}

/* What api.py asks at each call of a decorated function, faster than a function could tell: empty
 * but while a recording runs. In a forked child it may stay as it was: then nothing is recorded. */
static PyObject *running;
/* What the Python modules must find again when they are imported a second time, by name. */
static PyObject *kept;
static unsigned long forks; /* that this recording has seen; the children record nothing */

PyDoc_STRVAR(start_doc, "start(fd, buffer_bytes, cmdline, python, argv, signals)\n\n"
"Begins to record into `fd`, which the core owns from now on.");

static PyObject *start(PyObject *module, PyObject *args)
{
    (void)module;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int fd;
    unsigned long long buffer_bytes;
    writer_description about;
    Py_ssize_t length;
    if (!PyArg_ParseTuple(args, "iKy#sss", &fd, &buffer_bytes, &about.cmdline, &length, &about.python,
                          &about.argv, &about.signals))
        return NULL;
    about.cmdline_length = (size_t)length;
    if (writer_running()) {
        close(fd);
        PyErr_SetString(PyExc_RuntimeError, "a recording is running already");
        return NULL;
    }
    pthread_once(&once, register_fork);
    clock_choose();
    if (ring_start(buffer_bytes) < 0) {
        close(fd);
        return PyErr_NoMemory();
    }
    int error = writer_start(fd, (uint32_t)getpid(), &about);
    if (error) {
        ring_close();
        ring_stop();
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    forks = 0;
    if (PyList_Append(running, Py_True) < 0)
        PyErr_Clear(); /* decorated functions go unrecorded */
    Py_RETURN_NONE;
}

static PyObject *is_recording(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    return PyBool_FromLong(writer_running());
}

static void close_rings(void)
{
    atomic_store(&ring_on_refill, NULL);
    ring_close();
    PyList_SetSlice(running, 0, PyList_GET_SIZE(running), NULL);
}

PyDoc_STRVAR(seal_doc, "seal()\n\nFrom now on nothing is recorded; stop() follows, when the hooks are taken back.");

static PyObject *seal(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    char text[64];
    if (forks) {
        PyOS_snprintf(text, sizeof text, "%lu forked %s not in this trace", forks, forks == 1 ? "child is" : "children are");
        notes_write(NOTE_OTHER, "forks", text);
    }
    close_rings();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc, "stop() -> dict | None\n\n"
"Writes what is left and closes the file. None when no recording runs (any more).");

static PyObject *stop(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    if (!writer_running())
        Py_RETURN_NONE;
    writer_totals t;
    close_rings();
    Py_BEGIN_ALLOW_THREADS
    writer_stop(&t);
    Py_END_ALLOW_THREADS
    ring_stop();
    size_t length;
    const char *who = intern_text(intern_function_of(t.worst_ready_func).name, &length);
    return Py_BuildValue("{sKsKsKsKsksKsKsKsKss#si}", "duration_ns", t.duration_ns, "events", t.events,
                         "bytes", t.bytes, "dropped", t.dropped, "forks", forks, "late", t.late,
                         "overhead_ns", t.overhead_ns, "samples", t.samples,
                         "worst_ready_ns", t.worst_ready_ns, "worst_ready_who", who, (Py_ssize_t)length,
                         "error", t.error);
}

/* The frame that called os.fork(). */
static const compat_frame *forking_frame;

static PyObject *pause_writer(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    atomic_store(&ring_on_refill, NULL);
    writer_pause();
    forking_frame = *compat_frame_slot(PyThreadState_Get());
    Py_RETURN_NONE;
}

/* While other at-fork functions of the program run, os.fork() has not counted yet. */
static int resume_now(void *unused)
{
    (void)unused;
    if (compat_is_caller(PyThreadState_Get(), forking_frame) && Py_AddPendingCall(resume_now, NULL) == 0)
        return 0;
    if (atomic_exchange(&ring_on_refill, NULL))
        writer_resume();
    return 0;
}

PyDoc_STRVAR(resume_doc, "resume_writer()\n\n"
"After a fork, in the parent. Not at once: os.fork() is still to count the process's threads and\n"
"to warn if there are several. The main thread resumes the writer with its next bytecode; if it\n"
"is held up, the next thread that fills a chunk does.");

static PyObject *resume_writer(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    forks++;
    atomic_store(&ring_on_refill, writer_resume);
    Py_AddPendingCall(resume_now, NULL); /* fails only when its queue is full */
    Py_RETURN_NONE;
}

PyDoc_STRVAR(note_doc, "note(subject, text, disabled)\n\nAn instant on the tracer track.");

static PyObject *note(PyObject *module, PyObject *args)
{
    (void)module;
    const char *subject, *text;
    int disabled;
    if (!PyArg_ParseTuple(args, "ssp", &subject, &text, &disabled))
        return NULL;
    notes_write(disabled ? NOTE_HOOK_DISABLED : NOTE_OTHER, subject, text);
    Py_RETURN_NONE;
}

/* --- for tests --- */

PyDoc_STRVAR(encode_doc, "encode(records, seed) -> bytes\n\n"
"For tests: the trace that records (tid, ns, kind, flag, a, b, c, text) make, without threads.");

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
    if (!threads[at] && !(threads[at] = timeline_thread(t, tid))) {
        PyErr_NoMemory();
        return -1;
    }
    if (length && r.b > (uint64_t)length) {
        PyErr_SetString(PyExc_ValueError, "text is shorter than it says");
        return -1;
    }
    timeline_record(t, threads[at], &r, ns, text);
    return 0;
}

static PyObject *encode(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *records;
    unsigned long long seed;
    if (!PyArg_ParseTuple(args, "O!K", &PyList_Type, &records, &seed))
        return NULL;
    timeline t;
    thread_line *threads[TEST_THREADS] = {NULL};
    timeline_init(&t, 1, seed, "test", 4);
    encoder_begin_batch(&t.out, 1000, 2000, 3000);
    PyObject *result = NULL;
    Py_ssize_t i = 0;
    for (; i < PyList_GET_SIZE(records); i++)
        if (feed(&t, threads, PyList_GET_ITEM(records, i)) < 0)
            break;
    if (i == PyList_GET_SIZE(records)) {
        const lane_present now = {.is_last = 1};
        for (int at = 0; at < TEST_THREADS && threads[at]; at++)
            timeline_present(&t, threads[at], &now, t.out.last_ns);
        timeline_settle(&t);
        result = PyBytes_FromStringAndSize((const char *)t.out.bytes, (Py_ssize_t)t.out.length);
    }
    for (int at = 0; at < TEST_THREADS; at++)
        if (threads[at])
            timeline_thread_gone(&t, threads[at]);
    timeline_free(&t);
    return result;
}

PyDoc_STRVAR(emit_doc, "emit(count, kind, a)\n\nFor tests: `count` records from the calling thread.");

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
    return Py_BuildValue("KK", (unsigned long long)atomic_load(&b->written),
                         (unsigned long long)atomic_load(&b->dropped));
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

PyDoc_STRVAR(fake_doc, "fake_clock(tick | None)\n\nFor tests: the recorder's clock says `tick`.");

static PyObject *fake_clock(PyObject *module, PyObject *tick)
{
    (void)module;
    clock_source_now = tick == Py_None ? CLOCK_SOURCE_MONOTONIC : CLOCK_SOURCE_FAKE;
    if (tick != Py_None)
        clock_fake_tick = PyLong_AsUnsignedLongLong(tick);
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

/* --- constants: tests hold them equal to schema.py --- */

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
#define KIND(name) failed = failed || put_owned(kinds, #name, PyLong_FromLong(REC_##name)) < 0;
    KIND(GAP) KIND(TASK_NEW) KIND(TASK_NAME) KIND(TASK_DESTROYED) KIND(READY) KIND(STEP_BEGIN)
    KIND(STEP_YIELD) KIND(STEP_AWAIT) KIND(STEP_DONE) KIND(CB_READY) KIND(CB_BEGIN) KIND(CB_END)
    KIND(POLL_BEGIN) KIND(POLL_END) KIND(POLL_INSTANT) KIND(LOOP_RUN) KIND(LOOP_STOP)
    KIND(THREAD_SPAWN) KIND(THREAD_BEGIN) KIND(THREAD_NAME) KIND(THREAD_EXIT) KIND(GC_BEGIN) KIND(GC_END)
    KIND(CALL) KIND(TAKE) KIND(HELD_CALL) KIND(CALL_BYTES) KIND(LOCK_WAIT) KIND(LOCK_GOT)
    KIND(LOCK_ACQUIRED) KIND(LOCK_RELEASED) KIND(REGION_BEGIN) KIND(REGION_END) KIND(OPERATION_BEGIN)
    KIND(OPERATION_END) KIND(LOG) KIND(COUNTER) KIND(NOTE)
    failed = failed || PyModule_AddObjectRef(module, "SCHEMA_NUMBERS", numbers) < 0 ||
             PyModule_AddObjectRef(module, "SCHEMA_TEXTS", texts) < 0 ||
             PyModule_AddObjectRef(module, "RECORD_KINDS", kinds) < 0;
    Py_XDECREF(numbers);
    Py_XDECREF(texts);
    Py_XDECREF(kinds);
    return failed ? -1 : 0;
}

/* The module may be made again (a traced program imports it anew): all share one state. */
int recording_exec(PyObject *module)
{
    if ((!running && !(running = PyList_New(0))) || (!kept && !(kept = PyDict_New())))
        return -1;
    if (PyModule_AddObjectRef(module, "running", running) < 0 || PyModule_AddObjectRef(module, "kept", kept) < 0)
        return -1;
    return add_schema(module);
}

PyMethodDef recording_methods[] = {
    {"start", start, METH_VARARGS, start_doc},
    {"is_recording", is_recording, METH_NOARGS, "is_recording() -> bool: of this process, whoever started it."},
    {"seal", seal, METH_NOARGS, seal_doc},
    {"stop", stop, METH_NOARGS, stop_doc},
    {"pause_writer", pause_writer, METH_NOARGS, "Before a fork: ends the writer thread."},
    {"resume_writer", resume_writer, METH_NOARGS, resume_doc},
    {"note", note, METH_VARARGS, note_doc},
    {"encode", encode, METH_VARARGS, encode_doc},
    {"emit", emit, METH_VARARGS, emit_doc},
    {"intern", intern, METH_VARARGS, intern_doc},
    {"fake_clock", fake_clock, METH_O, fake_doc},
    {NULL, NULL, 0, NULL},
};
