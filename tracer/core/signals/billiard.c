/* Jobs of billiard's pools, and so of Celery's prefork, by the functions that each passes: see signals/jobs.py.
 *
 * Celery's workers have a pipe each, so a pool is known by the process that has it, and a job by its number there.
 * Celery submits a job when a worker is free for it: until then the request waits in its main process, and that is
 * where the job begins to be queued. */
#include "signals/billiard.h"

#include <unistd.h>

#include "python/codes.h"
#include "python/looking.h"
#include "python/stacks.h"
#include "ring/intern.h"
#include "ring/map.h"
#include "ring/memory.h"
#include "signals/jobs.h"

/* What the messages of a pool begin with, and how many things they have then. */
enum message { ACCEPTED, READY, TASK };
enum { ACCEPTED_SIZE = 5, READY_SIZE = 4, TASK_SIZE = 5 };

/* What is known once billiard and Celery are imported: functions (their code), and objects. */
#define CODES(X) X(billiard_apply) X(billiard_tasks) X(billiard_worker) X(celery_task) X(celery_fast_task) \
    X(celery_receive)
#define OBJECTS(X) X(billiard_failure) X(billiard_traced) X(billiard_process) X(celery_size)
#define NAMES(X) X(_job) X(_payload) X(_parent_pid) X(_current_process) X(synq) X(exception) X(exc)

#define POINTER(name) *name,
static struct {
    PyObject CODES(POINTER) *no_code;
    PyObject OBJECTS(POINTER) *no_object;
} known;
static struct {
    PyObject NAMES(POINTER) *none;
} names;

typedef struct {
    uint32_t generation;
    struct { /* the message that the thread pickles, then sends */
        job_id job; /* pool 0: it is no job, and no result */
        enum pool_step step;
        uint64_t since_ns, pickling_ns, bytes;
        uint8_t is_pickled;
    } out;
    struct { /* the message that it read last; 0 bytes: none */
        uint64_t bytes, at_ns;
    } in;
    struct { /* the job that this worker has got */
        job_id job;
        uint32_t func;
        uint64_t bytes, pickling_ns;
        uint8_t begins, runs;
    } own;
    struct { /* the request that gets a slot of the pool now; 0 ns: it was not kept */
        uint64_t since_ns;
        uint32_t stack;
    } request;
} thread_jobs;

static _Thread_local thread_jobs mine;

static thread_jobs *jobs_of(const thread_buffer *b)
{
    if (mine.generation != b->generation) /* of another recording, or of the process that forked this one */
        mine = (thread_jobs){.generation = b->generation};
    return &mine;
}

/* --- what a job is --- */

static uint64_t pool_of(uint64_t pid)
{
    return pid < UINT32_MAX ? 1ull << 40 | pid : 0; /* no inode of a pipe */
}

/* The pool that this process is a worker of. */
static uint64_t own_pool(void)
{
    PyObject *function = known.billiard_process;
    PyObject *globals = function && PyFunction_Check(function) ? PyFunction_GET_GLOBALS(function) : NULL;
    PyObject *process = globals ? PyDict_GetItem(globals, names._current_process) : NULL;
    return pool_of(number_of(attribute(process, names._parent_pid)));
}

/* What is in a message; NULL: it is another kind, or none of a pool. */
static PyObject *content(PyObject *message, enum message kind, Py_ssize_t size)
{
    int is_kind = is_tuple_of(message, 2) && number_of(item(message, 0)) == (uint64_t)kind;
    PyObject *found = is_kind ? item(message, 1) : NULL;
    return is_tuple_of(found, size) ? found : NULL;
}

/* (job, chunk, …): the chunk is None unless the job is one of several. */
static uint64_t number_in(PyObject *task)
{
    PyObject *chunk = item(task, 1);
    return jobs_chunk_number(number_of(item(task, 0)), chunk == Py_None ? 0 : number_of(chunk));
}

static int is_function(PyObject *called, const PyObject *code)
{
    return code && PyFunction_Check(called) && PyFunction_GET_CODE(called) == code;
}

/* The function that is called; of a task of Celery, its name. */
static uint32_t function_of(PyObject *called, PyObject *args)
{
    if (!called)
        return 0;
    PyObject *name = item(args, 0);
    int is_task = is_function(called, known.celery_task) || is_function(called, known.celery_fast_task);
    uint32_t text = is_task && name ? codes_text(name) : 0;
    return text ? intern_function(text, 0) : codes_callable(called);
}

/* --- what is kept for later, by job or by request --- */

typedef struct {
    uint64_t pickling_ns, bytes, since_ns;
    uint32_t generation; /* 0: nothing is kept */
    uint32_t stack;
} pending;

static map requests; /* a request's address -> pending*: Celery has received it */
static map unsent;   /* a job's number + 1 -> pending*: it is pickled and not written yet */
static compat_mutex guard;

/* What is kept, and no longer then. */
static pending take(map *kept, uint64_t key)
{
    pending found = {0};
    compat_lock(&guard);
    uint64_t *place = key ? map_find(kept, key) : NULL;
    if (place) {
        found = *(const pending *)(uintptr_t)*place;
        memory_give((void *)(uintptr_t)*place, sizeof(pending));
        map_remove(kept, key);
    }
    compat_unlock(&guard);
    return found;
}

static void keep(map *kept, uint64_t key, pending made)
{
    take(kept, key);
    pending *copy = key ? memory_take(sizeof *copy) : NULL;
    compat_lock(&guard);
    uint64_t *place = copy ? map_put(kept, key) : NULL;
    if (place) {
        *copy = made;
        *place = (uint64_t)(uintptr_t)copy;
    } else {
        memory_give(copy, sizeof *copy);
    }
    compat_unlock(&guard);
}

/* --- submitted --- */

void billiard_on_request(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    pending made = {.since_ns = jobs_now_ns(), .generation = b->generation, .stack = stacks_here()};
    keep(&requests, (uint64_t)(uintptr_t)local(current(), 1), made);
}

void billiard_on_slot(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    pending found = take(&requests, (uint64_t)(uintptr_t)local(current(), 1));
    thread_jobs *j = jobs_of(b);
    int is_known = found.generation == b->generation;
    j->request.since_ns = is_known ? found.since_ns : 0;
    j->request.stack = found.stack;
}

void billiard_on_submitted(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current(), *by = calling(frame);
    if (!runs(by, known.billiard_apply))
        return;
    thread_jobs *j = jobs_of(b);
    uint64_t number = number_of(attribute(local(frame, 0), names._job)), since_ns = j->request.since_ns;
    job_id job = {pool_of((uint64_t)getpid()), jobs_chunk_number(number, 0)};
    j->request.since_ns = 0;
    if (job.number != UINT64_MAX)
        jobs_emit(b, POOL_SUBMITTED, function_of(local(by, 1), local(by, 2)), job,
                  (pool_job_details){.since_ns = since_ns ? since_ns : jobs_now_ns(),
                                     .stack = since_ns ? j->request.stack : stacks_here()});
}

/* --- pickled and sent by Celery, whose loop writes when a worker's pipe has room --- */

void billiard_on_pickle(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    thread_jobs *j = jobs_of(b);
    j->out.job.pool = 0;
    j->out.since_ns = jobs_now_ns();
}

void billiard_on_pickled(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *task = content(local(current(), 0), TASK, TASK_SIZE);
    uint64_t pickling_ns = jobs_now_ns() - jobs_of(b)->out.since_ns;
    if (task)
        keep(&unsent, number_of(item(task, 0)) + 1, (pending){.pickling_ns = pickling_ns, .generation = b->generation});
}

void billiard_on_write(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    PyObject *result = local(current(), 2);
    uint64_t key = number_of(attribute(result, names._job)) + 1;
    pending made = take(&unsent, key);
    made.bytes = number_of(item(attribute(result, names._payload), 2));
    made.since_ns = jobs_now_ns();
    if (made.generation == b->generation && made.bytes != UINT64_MAX)
        keep(&unsent, key, made);
}

void billiard_on_written(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    uint64_t job = number_of(attribute(local(current(), 2), names._job));
    pending made = take(&unsent, job + 1);
    if (made.generation == b->generation && made.since_ns)
        jobs_emit(b, POOL_SENT, 0, (job_id){pool_of((uint64_t)getpid()), jobs_chunk_number(job, 0)},
                  (pool_job_details){.bytes = made.bytes, .pickling_ns = made.pickling_ns, .since_ns = made.since_ns});
}

/* --- pickled and sent by billiard --- */

static void begin_to_send(thread_jobs *j, enum pool_step step, job_id job)
{
    j->out.job = job;
    j->out.step = step;
    j->out.is_pickled = 0;
    j->out.since_ns = jobs_now_ns();
}

void billiard_on_send(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current();
    PyObject *task = runs(calling(frame), known.billiard_tasks) ? content(local(frame, 1), TASK, TASK_SIZE) : NULL;
    uint64_t number = task ? number_in(task) : UINT64_MAX;
    begin_to_send(jobs_of(b), POOL_SENT, (job_id){number == UINT64_MAX ? 0 : pool_of((uint64_t)getpid()), number});
}

static uint64_t size_of(PyObject *buffer)
{
    if (buffer && PyMemoryView_Check(buffer))
        return (uint64_t)PyMemoryView_GET_BUFFER(buffer)->len;
    return buffer && PyBytes_Check(buffer) ? (uint64_t)PyBytes_GET_SIZE(buffer) : 0;
}

void billiard_on_bytes(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    thread_jobs *j = jobs_of(b);
    if (!j->out.job.pool)
        return;
    uint64_t now = jobs_now_ns();
    j->out.pickling_ns = now - j->out.since_ns;
    j->out.since_ns = now;
    j->out.bytes = size_of(local(current(), 1));
    j->out.is_pickled = 1;
}

void billiard_on_sent(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    thread_jobs *j = jobs_of(b);
    if (j->out.job.pool && j->out.is_pickled)
        jobs_emit(b, j->out.step, 0, j->out.job,
                  (pool_job_details){.bytes = j->out.bytes, .pickling_ns = j->out.pickling_ns, .since_ns = j->out.since_ns});
    j->out.job.pool = 0;
}

/* --- read and run, in a worker --- */

void billiard_on_read(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick;
    thread_jobs *j = jobs_of(b);
    static PyObject *name;
    if (!name && !(name = PyUnicode_InternFromString("getbuffer")))
        PyErr_Clear();
    PyObject *view = name && value && value != Py_None ? PyObject_CallMethodNoArgs(value, name) : NULL; /* of io.BytesIO */
    PyErr_Clear();
    j->in.bytes = size_of(view);
    j->in.at_ns = jobs_now_ns();
    Py_XDECREF(view);
}

static void begin(thread_buffer *b, thread_jobs *j)
{
    j->own.begins = 0;
    j->own.runs = 1;
    jobs_emit(b, POOL_BEGUN, j->own.func, j->own.job,
              (pool_job_details){.bytes = j->own.bytes, .pickling_ns = j->own.pickling_ns, .stack = stacks_here()});
}

void billiard_on_got(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick;
    thread_jobs *j = jobs_of(b);
    PyObject *task = content(value, TASK, TASK_SIZE);
    if (task) {
        j->own.job = (job_id){own_pool(), number_in(task)};
        j->own.func = function_of(item(task, 2), item(task, 3));
        j->own.bytes = j->in.bytes;
        j->own.pickling_ns = jobs_now_ns() - j->in.at_ns;
        j->own.begins = j->own.job.number != UINT64_MAX;
        j->own.runs = 0;
    } else if (j->own.begins && is_tuple_of(value, 2) && number_of(item(value, 0)) == ACCEPTED) {
        begin(b, j); /* it asked whether it may, and was told so */
    }
}

/* (whether it is one, what it is); Celery catches what a task raises: (1, failure, seconds). */
static PyObject *failure_in(PyObject *outcome)
{
    PyObject *found = item(outcome, 1);
    if (is_tuple_of(found, 3))
        found = item(found, 1);
    PyObject *raised = is_a(found, known.billiard_failure) ? attribute(found, names.exception) : NULL;
    return is_a(raised, known.billiard_traced) ? attribute(raised, names.exc) : raised; /* Celery takes it out itself */
}

void billiard_on_put(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current();
    thread_jobs *j = jobs_of(b);
    j->out.job.pool = 0;
    PyObject *result = runs(calling(frame), known.billiard_worker) ? content(local(frame, 1), READY, READY_SIZE) : NULL;
    if (!result || number_in(result) != j->own.job.number)
        return;
    if (j->own.runs) {
        PyObject *raised = failure_in(item(result, 2));
        jobs_emit(b, POOL_ENDED, raised ? codes_type_name(raised) : 0, j->own.job, (pool_job_details){0});
    }
    j->own.runs = 0;
    begin_to_send(j, POOL_RESULT_SENT, j->own.job);
}

void billiard_on_was_put(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current(), *by = calling(frame);
    thread_jobs *j = jobs_of(b);
    if (!j->own.begins || !runs(by, known.billiard_worker) || !content(local(frame, 1), ACCEPTED, ACCEPTED_SIZE))
        return;
    if (attribute(local(by, 0), names.synq) == Py_None) /* else it waits for an answer */
        begin(b, j);
}

/* --- the result is there --- */

void billiard_on_state(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current();
    thread_jobs *j = jobs_of(b);
    pool_job_details details = {.bytes = j->in.bytes, .pickling_ns = jobs_now_ns() - j->in.at_ns};
    PyObject *result = content(local(frame, 0), READY, READY_SIZE);
    j->in.bytes = 0;
    if (!result || number_in(result) == UINT64_MAX)
        return;
    if (!details.bytes) { /* Celery has read it, and calls this right away */
        const compat_frame *by = calling(frame);
        uint64_t at = runs(by, known.celery_receive) ? number_of(known.celery_size) : UINT64_MAX;
        uint64_t bytes = at < INT32_MAX ? number_of(local(by, (int)at)) : 0;
        details.bytes = bytes == UINT64_MAX ? 0 : bytes;
        details.pickling_ns = JOBS_UNKNOWN_NS;
    }
    jobs_emit(b, POOL_RESULT_RECEIVED, 0, (job_id){pool_of((uint64_t)getpid()), number_in(result)}, details);
}

/* --- set-up --- */

PyDoc_STRVAR(setup_doc, "setup_billiard(found)\n\nWhat of billiard and Celery jobs are recognised by, as billiard.c lists it.");

static PyObject *setup_billiard(PyObject *module, PyObject *found)
{
    (void)module;
    static const known_row rows[] = {CODES(JOBS_CODE_ROW) OBJECTS(JOBS_OBJECT_ROW)};
    static const known_name texts[] = {NAMES(JOBS_NAME_ROW)};
    if (jobs_know(found, rows, sizeof rows / sizeof *rows, texts, sizeof texts / sizeof *texts) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef billiard_methods[] = {
    {"setup_billiard", setup_billiard, METH_O, setup_doc},
    {NULL, NULL, 0, NULL},
};
