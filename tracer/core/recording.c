/* Starting and stopping a recording. */
#include "recording.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output/control.h"
#include "output/debug.h"
#include "output/file.h"
#include "output/killed.h"
#include "output/writer.h"
#include "python/notes.h"
#include "python/stacks.h"
#include "ring/family.h"
#include "ring/intern.h"
#include "ring/memory.h"
#include "ring/own_table.h"
#include "ring/ring.h"
#include "sampler/drain.h"
#include "sampler/sampler.h"
#include "schema.h"
#include "signals/children.h"
#include "signals/failures.h"
#include "signals/gil/gil.h"
#include "signals/heap/asked.h"
#include "signals/heap/heap.h"
#include "signals/kernel/kernel.h"
#include "signals/where.h"
#include "timeline/timeline.h"

/* Held while the writer is started, stopped, paused or resumed, because several threads may stop the
 * recording, fork and exec at the same time. Its holder may wait for the writer, the writer for the loader's
 * lock, and the holder of that lock, in a constructor, for the GIL. So nobody who has the GIL waits for it, and
 * nobody who has it waits for the GIL. */
static pthread_mutex_t control = PTHREAD_MUTEX_INITIALIZER;
static unsigned long recordings; /* number of recordings started */

/* Called in every forked child, whatever code called fork(): forgets everything before it can do harm. */
static void after_fork_in_child(void)
{
    pthread_mutex_init(&control, NULL);
    own_table_forget();
    kernel_forget();
    ring_forget();
    sampler_forget();
    heap_forget();
    writer_forget();
    where_forget();
    gil_after_fork(1);
}

static void after_fork_in_parent(void)
{
    gil_after_fork(0);
}

static void register_fork(void)
{
    pthread_atfork(gil_before_fork, after_fork_in_parent, after_fork_in_child);
}

/* api.py checks this at each call of a decorated function, because that is faster than a function call: it
 * is empty unless a recording runs. In a forked child it may keep its value: nothing is recorded then. */
static PyObject *running;
/* What the Python modules must find again, by name, if they are imported a second time. */
static PyObject *kept;
static unsigned long forks; /* forks that this recording has seen; the children record nothing */

static void after_pass(void)
{
    stacks_ask();
    gil_after_pass();
    failures_after_pass();
}

void (*recording_on_moment)(const moment *);
void (*recording_ask_place)(uint64_t pthread);

static void on_moment(const moment *found)
{
    if (recording_on_moment)
        recording_on_moment(found);
}

static void ask_place(uint64_t pthread)
{
    if (recording_ask_place)
        recording_ask_place(pthread);
}

static const writer_sources sources = {&kernel_source, &sampler_source, &keeper_source, after_pass, where_ask,
                                       ask_place, on_moment};

PyDoc_STRVAR(start_doc, "start(fd, buffer_bytes, cmdline, python, argv, signals, threshold_ns, is_held, family, member, parent_pid,\n"
"origin, ring, window_ns, ring_bytes, snapshots)\n\n"
"Begins to record into `fd`, which the core owns from now on, or, if `ring` is no empty text, into files in that folder\n"
"(then fd is -1), which reach back so far and take so many bytes at most; snapshots without a name go into the other one. If it is held, the file keeps its\n"
"contents until replace_file(). Raises OSError if the file cannot be written, RuntimeError if a\n"
"recording runs or cannot start.");

static PyObject *start(PyObject *module, PyObject *args)
{
    (void)module;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int fd;
    unsigned long long buffer_bytes;
    writer_description about;
    Py_ssize_t length;
    unsigned long long threshold_ns;
    int is_held;
    unsigned long long family;
    unsigned int member, parent_pid;
    unsigned long long window_ns, ring_bytes;
    if (!PyArg_ParseTuple(args, "iKy#sssKpKIIssKKs", &fd, &buffer_bytes, &about.cmdline, &length, &about.python,
                          &about.argv, &about.signals, &threshold_ns, &is_held, &family, &member, &parent_pid,
                          &about.origin, &about.ring, &window_ns, &ring_bytes, &about.snapshots))
        return NULL;
    about.ring = about.ring[0] ? about.ring : NULL;
    about.window_ns = window_ns;
    about.ring_bytes = ring_bytes;
    about.family = family;
    about.member = member;
    about.parent_pid = parent_pid;
    about.cmdline_length = (size_t)length;
    about.threshold_ns = threshold_ns;
    if (writer_running()) {
        if (fd >= 0)
            close(fd);
        PyErr_SetString(PyExc_RuntimeError, "a recording is running already");
        return NULL;
    }
    pthread_once(&once, register_fork);
    const char *what = "no memory for the buffer";
    int error;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&control);
    trace_file_hold(is_held);
    clock_choose();
    memory_keep_large_blocks();
    error = ring_start(buffer_bytes) < 0 ? ENOMEM : 0;
    if (error) {
        if (fd >= 0)
            close(fd);
    } else if ((error = writer_start(fd, (uint32_t)getpid(), &about, &sources, &what)) != 0) {
        ring_close();
        ring_stop();
    } else {
        recordings++;
    }
    pthread_mutex_unlock(&control);
    Py_END_ALLOW_THREADS
    if (error && what)
        return PyErr_Format(PyExc_RuntimeError, "%s: %s", what, strerror(error));
    errno = error;
    if (error)
        return PyErr_SetFromErrno(PyExc_OSError);
    forks = 0;
    children_started = children_followed = 0;
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
    if (forks && !family_folder()[0]) {
        PyOS_snprintf(text, sizeof text, "%lu forked %s not in this trace", forks, forks == 1 ? "child is" : "children are");
        notes_write(NOTE_OTHER, "forks", text);
    }
    close_rings();
    Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_doc, "stop(reason, keeps_ring, trigger, what) -> dict | None\n\n"
"Writes what is left and closes the file. None when no recording runs (any more). With a reason, it leaves a snapshot\n"
"of the last seconds, of which those are told who are told of triggers, if a trigger wants it; a flight recording's own\n"
"files stay only if it keeps_ring.");

static PyObject *dict_of(const writer_totals *t)
{
    size_t length;
    const char *who = intern_text(intern_function_of(t->worst_ready_func).name, &length);
    return Py_BuildValue("{sKsKsKsKsKsKsKsksKsKsKsKsKss#sisssKsN}", "duration_ns", t->duration_ns, "events", t->events,
                         "bytes", t->bytes, "dropped", t->dropped, "lost", t->lost, "lost_ns", t->lost_ns,
                         "suppressed", t->suppressed, "forks", forks, "children", (unsigned long long)(children_started - children_followed), "late", t->late, "overhead_ns", t->overhead_ns, "samples", t->samples,
                         "worst_ready_ns", t->worst_ready_ns, "worst_ready_who", who, (Py_ssize_t)length,
                         "error", t->error, "reason", t->reason, "snapshots", t->snapshots, "snapshot",
                         PyUnicode_DecodeFSDefault(t->snapshot));
}

static void tell_end(const char *trigger, const char *what, const snapshot *taken)
{
    moment *m = trigger[0] ? calloc(1, sizeof *m) : NULL;
    if (!m || !recording_on_moment) {
        free(m);
        return;
    }
    m->taken = *taken;
    m->taken.moment_end_ns = clock_ns_of(CLOCK_MONOTONIC);
    PyOS_snprintf(m->trigger, sizeof m->trigger, "%s", trigger);
    PyOS_snprintf(m->what, sizeof m->what, "%s", what);
    recording_on_moment(m);
    free(m);
}

static PyObject *end(const char *reason, int keeps_ring, const char *trigger, const char *what)
{
    if (!writer_running())
        Py_RETURN_NONE;
    writer_totals t;
    snapshot *last = reason[0] ? calloc(1, sizeof *last) : NULL;
    if (last)
        last->asked_ns = UINT64_MAX; /* after everything else */
    if (last)
        PyOS_snprintf(last->reason, sizeof last->reason, "%s", reason);
    sigset_t before;
    unsigned long this_one = recordings;
    int runs;
    close_rings();
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&control);
    runs = writer_running() && recordings == this_one;
    if (runs) {
        killed_hold(&before);
        writer_stop(&t, last, keeps_ring);
        ring_stop();
        killed_let_go(&before);
    }
    pthread_mutex_unlock(&control);
    Py_END_ALLOW_THREADS
    PyObject *result = runs ? dict_of(&t) : Py_NewRef(Py_None);
    if (runs && last)
        tell_end(trigger, what, last);
    free(last);
    return result;
}

static PyObject *stop(PyObject *module, PyObject *args)
{
    (void)module;
    const char *reason, *trigger, *what;
    int keeps_ring;
    return PyArg_ParseTuple(args, "spss", &reason, &keeps_ring, &trigger, &what) ? end(reason, keeps_ring, trigger, what)
                                                                                 : NULL;
}

PyDoc_STRVAR(snapshot_doc, "snapshot(path, reason) -> str | None\n\n"
"Writes a trace of the last seconds, or of everything if the recording is no flight recording, and returns its path; an\n"
"empty one chooses it. None when no recording runs. Raises OSError.");

static PyObject *take_snapshot(PyObject *module, PyObject *args)
{
    (void)module;
    const char *path, *reason;
    if (!PyArg_ParseTuple(args, "yz", &path, &reason))
        return NULL;
    snapshot *wanted = calloc(1, sizeof *wanted);
    if (!wanted)
        return PyErr_NoMemory();
    wanted->asked_ns = clock_ns_of(CLOCK_MONOTONIC);
    PyOS_snprintf(wanted->target, sizeof wanted->target, "%s", path);
    PyOS_snprintf(wanted->reason, sizeof wanted->reason, "%s", reason);
    Py_BEGIN_ALLOW_THREADS
    snapshots_ask(wanted);
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    errno = wanted->error;
    if (wanted->error == ECANCELED)
        result = Py_NewRef(Py_None);
    else if (wanted->error)
        PyErr_SetFromErrnoWithFilename(PyExc_OSError, wanted->target[0] ? wanted->target : NULL);
    else
        result = PyUnicode_DecodeFSDefault(wanted->target);
    free(wanted);
    return result;
}

static PyObject *replace_file(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    trace_file_hold(0);
    Py_RETURN_NONE;
}

/* --- for endings.c and launch.c --- */

int recording_runs(void)
{
    return writer_running();
}

/* Calls a method of the Recording, if there is one, hidden from the program's trace function. */
static void tell_recording(const char *method, const char *format, PyObject *totals, const char *program)
{
    PyObject *recording = PyDict_GetItemString(kept, "recording"); /* borrowed */
    PyObject *result = NULL;
    if (recording) {
        PyThreadState *tstate = PyThreadState_Get();
        Py_INCREF(recording);
        PyThreadState_EnterTracing(tstate);
        result = PyObject_CallMethod(recording, method, format, totals, program);
        PyThreadState_LeaveTracing(tstate);
        Py_DECREF(recording);
    }
    Py_XDECREF(result);
    PyErr_Clear();
}

void recording_tell_moment(PyObject *facts)
{
    PyObject *recording = PyDict_GetItemString(kept, "recording"); /* borrowed */
    if (!recording)
        recording = PyDict_GetItemString(kept, "ending");
    Py_XINCREF(recording);
    PyObject *result = recording ? PyObject_CallMethod(recording, "tell_moment", "O", facts) : NULL;
    Py_XDECREF(result);
    Py_XDECREF(recording);
    PyErr_Clear();
}

PyObject *recording_place_of(uint64_t pthread)
{
    PyObject *recording = PyDict_GetItemString(kept, "recording"); /* borrowed */
    if (!recording)
        return NULL;
    PyThreadState *tstate = PyThreadState_Get();
    Py_INCREF(recording);
    PyThreadState_EnterTracing(tstate);
    PyObject *place = PyObject_CallMethod(recording, "place_of", "K", (unsigned long long)pthread);
    PyThreadState_LeaveTracing(tstate);
    Py_DECREF(recording);
    return place;
}

void recording_program_begins(void)
{
    PyObject *raised = PyErr_GetRaisedException();
    tell_recording("begin", NULL, NULL, NULL);
    PyErr_SetRaisedException(raised);
}

void recording_finish(int exits)
{
    PyObject *raised = PyErr_GetRaisedException();
    tell_recording(exits ? "finish" : "crash", NULL, NULL, NULL);
    Py_XDECREF(end("", 1, "", "")); /* somebody is in the middle of stopping it, perhaps a caller of this */
    PyErr_Clear();
    PyErr_SetRaisedException(raised);
}

int recording_checkpoint(const char *program)
{
    writer_totals t;
    recording_program_begins(); /* code of it that runs before __main__ may end it */
    sigset_t before;
    int runs;
    stacks_resolve();
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&control);
    runs = writer_running();
    if (runs) {
        killed_hold(&before);
        writer_checkpoint(&t);
        killed_let_go(&before);
    }
    pthread_mutex_unlock(&control);
    Py_END_ALLOW_THREADS
    PyObject *raised = PyErr_GetRaisedException(), *totals = runs && program ? dict_of(&t) : NULL;
    if (totals)
        tell_recording("replaced", "Oy", totals, program);
    Py_XDECREF(totals);
    PyErr_Clear();
    PyErr_SetRaisedException(raised);
    return runs;
}

/* Whoever fills a chunk next tries again if another thread is pausing or stopping the writer right now. */
void recording_go_on(void)
{
    if (pthread_mutex_trylock(&control)) {
        atomic_store(&ring_on_refill, recording_go_on);
        return;
    }
    writer_resume();
    pthread_mutex_unlock(&control);
}

static void pause_writer(void)
{
    forks++;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&control);
    writer_pause();
    where_await();
    asked_end();
    atomic_store(&ring_on_refill, NULL);
    pthread_mutex_unlock(&control);
    Py_END_ALLOW_THREADS
}

/* If the main thread is held up, the next thread that fills a chunk resumes it. */
static void await_writer(void)
{
    atomic_store(&ring_on_refill, recording_go_on);
}

static void resume_writer(void)
{
    atomic_store(&ring_on_refill, NULL);
    recording_go_on();
}

const forking_thread recording_thread = {pause_writer, await_writer, resume_writer, NULL};

PyDoc_STRVAR(note_doc, "note(subject, text, disabled)\n\nRecords an instant on the tracer track.");

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

PyDoc_STRVAR(hide_doc, "hide_descriptors()\n\n"
"When all is open: where the program could have their numbers, they get a table of their own.");

static PyObject *hide_descriptors(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&control);
    if (asked_may_come()) /* it runs Python code, and so perhaps the program's finalizers */
        writer_resume();
    else
        writer_hide();
    pthread_mutex_unlock(&control);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

PyDoc_STRVAR(control_doc, "control_open(folder, name, mode, file, argv, python)\n\n"
"From now on the recording answers at a socket in the folder, a descriptor that the core owns from now on.\n"
"Raises OSError.");

static PyObject *open_control(PyObject *module, PyObject *args)
{
    (void)module;
    int folder;
    const char *name;
    control_about about;
    if (!PyArg_ParseTuple(args, "isssss", &folder, &name, &about.mode, &about.file, &about.argv, &about.python))
        return NULL;
    if (!writer_running()) {
        close(folder);
        Py_RETURN_NONE;
    }
    errno = control_open(folder, name, &about);
    if (errno)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(debug_doc, "debug_lines(schedule_ms, details, collections)\n\n"
"From now on until the recording ends: a line on stderr each so many milliseconds (0: none), with more for each\n"
"loop and thread, and one for each collection.");

static PyObject *debug_lines(PyObject *module, PyObject *args)
{
    (void)module;
    debug_wishes wishes;
    if (!PyArg_ParseTuple(args, "Ipp", &wishes.schedule_ms, &wishes.details, &wishes.collections))
        return NULL;
    debug_start(wishes);
    Py_RETURN_NONE;
}

PyDoc_STRVAR(lock_doc, "lock_file(fd) -> bool\n\n"
"Marks the file as being recorded until the descriptor and its copies are closed. Returns False if\n"
"another recording has marked it.");

static PyObject *lock_file(PyObject *module, PyObject *fd)
{
    (void)module;
    int number = PyObject_AsFileDescriptor(fd);
    return number < 0 ? NULL : PyBool_FromLong(trace_file_lock(number) == 0);
}

PyDoc_STRVAR(append_doc, "append_trace(into, from)\n\n"
"Appends the whole packets of one trace to another. Raises OSError; then nothing was appended.");

static PyObject *append_trace(PyObject *module, PyObject *args)
{
    (void)module;
    int into, from;
    if (!PyArg_ParseTuple(args, "ii", &into, &from))
        return NULL;
    int error;
    Py_BEGIN_ALLOW_THREADS
    error = trace_file_join(into, from);
    Py_END_ALLOW_THREADS
    errno = error;
    if (error)
        return PyErr_SetFromErrno(PyExc_OSError);
    Py_RETURN_NONE;
}

/* The module may be created again (if a traced program imports it anew): all instances share one state. */
int recording_exec(PyObject *module)
{
    if ((!running && !(running = PyList_New(0))) || (!kept && !(kept = PyDict_New())))
        return -1;
    if (PyModule_AddObjectRef(module, "running", running) < 0)
        return -1;
    return PyModule_AddObjectRef(module, "kept", kept);
}

PyMethodDef recording_methods[] = {
    {"start", start, METH_VARARGS, start_doc},
    {"is_recording", is_recording, METH_NOARGS, "is_recording() -> bool: whether this process is being recorded, whoever started it."},
    {"seal", seal, METH_NOARGS, seal_doc},
    {"stop", stop, METH_VARARGS, stop_doc},
    {"snapshot", take_snapshot, METH_VARARGS, snapshot_doc},
    {"replace_file", replace_file, METH_NOARGS, "Ends the hold on the file of an earlier recording."},
    {"note", note, METH_VARARGS, note_doc},
    {"hide_descriptors", hide_descriptors, METH_NOARGS, hide_doc},
    {"control_open", open_control, METH_VARARGS, control_doc},
    {"debug_lines", debug_lines, METH_VARARGS, debug_doc},
    {"lock_file", lock_file, METH_O, lock_doc},
    {"append_trace", append_trace, METH_VARARGS, append_doc},
    {NULL, NULL, 0, NULL},
};
