/* Jobs of concurrent.futures.ProcessPoolExecutor and multiprocessing.Pool, by the functions of the standard library
 * that each job passes: see signals/jobs.py.
 *
 * A pool is known by the inode of the pipe that carries its calls, and a job by its number there, so all processes
 * know a job by themselves. What is known of a job between two of these functions is kept by the thread, which calls
 * them one after the other. */
#include "signals/jobs.h"

#include <string.h>
#include <sys/stat.h>

#include "python/codes.h"
#include "python/looking.h"
#include "python/stacks.h"
#include "ring/map.h"
#include "ring/memory.h"

/* --- what the standard library has --- */

/* X(name): functions (their code), types and functions as objects, by which jobs are told from other messages. */
#define CODES(X)                                                                                                 \
    X(submit) X(process_worker) X(dumps) X(pool_send) X(handle_tasks) X(handle_results) X(pool_worker)           \
    X(apply_async) X(map_async) X(imap) X(imap_unordered) X(loky_submit) X(loky_worker) X(loky_dumps)
#define OBJECTS(X)                                                                                               \
    X(call_item) X(result_item) X(process_chunk) X(process_failure) X(pool_failure) X(mapstar) X(starmapstar)    \
    X(loky_call) X(loky_result) X(loky_chunk) X(loky_failure)
#define NAMES(X)                                                                                                 \
    X(_queue_count) X(_call_queue) X(call_queue) X(_inqueue) X(_reader) X(_handle) X(_job) X(_pool) X(_number_left) \
    X(work_id) X(fn) X(args) X(func) X(exc) X(exception) X(items)

#define POINTER(name) *name,
static struct {
    PyObject CODES(POINTER) *no_code;
    PyObject OBJECTS(POINTER) *no_object;
} known;
static struct {
    PyObject NAMES(POINTER) *none;
} names;

/* --- what a thread knows --- */

enum outgoing { NO_JOB, CALL, RESULT };

typedef struct {
    uint32_t generation;
    struct { /* the message that the thread pickles, then sends */
        uint8_t kind; /* enum outgoing */
        uint8_t is_pickled;
        const compat_frame *frame; /* that pickles it */
        job_id job;                /* of a call the pool is known when it is sent */
        uint64_t since_ns;         /* when it began to pickle, then to send */
        uint64_t pickling_ns, bytes;
    } out;
    struct { /* the message that it read last, not unpickled yet */
        uint64_t bytes, at_ns;
    } in;
    struct { /* the result that it received last; 0 bytes: none */
        uint64_t number, bytes, pickling_ns;
    } result;
    struct { /* the job that it runs, or has run */
        job_id job;
        uint8_t runs;
    } own;
} thread_jobs;

static _Thread_local thread_jobs mine;

static thread_jobs *jobs_of(const thread_buffer *b)
{
    if (mine.generation != b->generation) /* of another recording, or of the process that forked this one */
        mine = (thread_jobs){.generation = b->generation};
    return &mine;
}

uint64_t jobs_now_ns(void)
{
    return clock_ns_of(CLOCK_MONOTONIC);
}

void jobs_emit(thread_buffer *b, enum pool_step step, uint32_t a, job_id job, pool_job_details details)
{
    uint64_t tick = clock_tick();
    record *slot = job.pool ? ring_reserve(b, 2, tick) : NULL;
    if (!slot)
        return;
    slot[0] = (record){tick, REC_POOL_JOB, (uint8_t)step, 1, a, job.pool, job.number};
    memcpy(&slot[1], &details, sizeof details);
    ring_commit(b, 2);
}

/* The inode of the pipe that a connection is an end of; 0: none. */
static uint64_t pipe_of(PyObject *connection)
{
    uint64_t fd = number_of(attribute(connection, names._handle));
    struct stat about;
    return fd <= INT32_MAX && fstat((int)fd, &about) == 0 && S_ISFIFO(about.st_mode) ? (uint64_t)about.st_ino : 0;
}

uint64_t jobs_pool_of_queue(PyObject *queue)
{
    return pipe_of(attribute(queue, names._reader));
}

/* Numbers of multiprocessing.Pool: what map() has cut into chunks is told apart by their places. */
uint64_t jobs_chunk_number(uint64_t job, uint64_t chunk)
{
    return job == UINT64_MAX || chunk == UINT64_MAX ? UINT64_MAX : chunk << 32 | (job & UINT32_MAX);
}

static uint64_t task_number(PyObject *task)
{
    return jobs_chunk_number(number_of(item(task, 0)), number_of(item(task, 1)));
}

/* loky has an executor of its own, which is joblib's: a copy of concurrent.futures' with the same names. */

static int is_call_item(PyObject *object)
{
    return is_a(object, known.call_item) || is_a(object, known.loky_call);
}

static int is_result_item(PyObject *object)
{
    return is_a(object, known.result_item) || is_a(object, known.loky_result);
}

static int is_failure(PyObject *object)
{
    return is_a(object, known.process_failure) || is_a(object, known.pool_failure) || is_a(object, known.loky_failure);
}

/* What dumps() pickles. */
static PyObject *pickled_by(const compat_frame *frame)
{
    return local(frame, !runs(frame, known.loky_dumps));
}

/* joblib's batch of calls: the function of the first. NULL: it is none. */
static PyObject *batched(PyObject *called)
{
    PyObject *items = strcmp(Py_TYPE(called)->tp_name, "BatchedCalls") ? NULL : attribute(called, names.items);
    return items && PyList_CheckExact(items) && PyList_GET_SIZE(items) ? item(PyList_GET_ITEM(items, 0), 0) : NULL;
}

/* The function that is called in the end, of a job and its arguments. */
static uint32_t function_of(PyObject *called, PyObject *args)
{
    PyObject *first = called ? batched(called) : NULL;
    called = first ? first : called;
    if (called && (called == known.mapstar || called == known.starmapstar))
        called = item(item(args, 0), 0); /* a chunk: the function, and what to call it with */
    else if (called && !PyFunction_Check(called) && !strcmp(Py_TYPE(called)->tp_name, "functools.partial")) {
        PyObject *inner = attribute(called, names.func);
        if (inner && (inner == known.process_chunk || inner == known.loky_chunk))
            called = item(attribute(called, names.args), 0);
    }
    return called ? codes_callable(called) : 0;
}

/* --- submitted --- */

void jobs_on_work_item(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current(), *by = calling(frame);
    if (!runs(by, known.submit) && !runs(by, known.loky_submit))
        return;
    PyObject *executor = local(by, 0);
    job_id job = {jobs_pool_of_queue(attribute(executor, names._call_queue)),
                  number_of(attribute(executor, names._queue_count))};
    if (job.number != UINT64_MAX)
        jobs_emit(b, POOL_SUBMITTED, function_of(local(frame, 2), NULL), job,
             (pool_job_details){.since_ns = jobs_now_ns(), .stack = stacks_here()});
}

/* A call of map() or imap(), whose chunks are told when they are drawn: there may be any number. */
typedef struct {
    uint64_t since_ns; /* 0: each is submitted when it is drawn from the program's iterable */
    uint64_t last;     /* the chunk after which it is over; UINT64_MAX: that is told */
    uint32_t generation, func, stack, tid;
} batch;

static map batches; /* job -> batch* */
static compat_mutex guard;

static void drop_batch(uint64_t job)
{
    uint64_t *place = map_find(&batches, job + 1);
    if (!place)
        return;
    memory_give((void *)(uintptr_t)*place, sizeof(batch));
    map_remove(&batches, job + 1);
}

static void put_batch(uint64_t job, batch made)
{
    batch *kept = memory_take(sizeof *kept);
    compat_lock(&guard);
    drop_batch(job);
    uint64_t *place = kept ? map_put(&batches, job + 1) : NULL;
    if (place) {
        *kept = made;
        *place = (uint64_t)(uintptr_t)kept;
    } else {
        memory_give(kept, sizeof *kept);
    }
    compat_unlock(&guard);
}

void jobs_on_pool_result(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current(), *by = calling(frame);
    PyObject *result = local(frame, 0);
    uint64_t job = number_of(attribute(result, names._job));
    int is_map = runs(by, known.map_async);
    int is_lazy = runs(by, known.imap) || runs(by, known.imap_unordered);
    if (job == UINT64_MAX)
        return;
    uint32_t func = is_map || is_lazy || runs(by, known.apply_async) ? function_of(local(by, 1), NULL) : 0;
    if (is_map || is_lazy) {
        uint64_t chunks = is_map ? number_of(attribute(result, names._number_left)) : 0;
        batch made = {is_map ? jobs_now_ns() : 0, chunks - 1, b->generation, func, stacks_here(), (uint32_t)b->tid};
        if (!is_map || (chunks && chunks != UINT64_MAX))
            put_batch(job, made);
    } else if (func) {
        job_id id = {jobs_pool_of_queue(attribute(local(frame, 1), names._inqueue)), jobs_chunk_number(job, 0)};
        jobs_emit(b, POOL_SUBMITTED, func, id, (pool_job_details){.since_ns = jobs_now_ns(), .stack = stacks_here()});
    }
}

void jobs_on_drawn(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)b, (void)tick, (void)value;
    compat_lock(&guard);
    drop_batch(number_of(attribute(local(current(), 0), names._job)));
    compat_unlock(&guard);
}

/* The chunk of a batch that is about to be sent through the connection. */
static void tell_chunk(thread_buffer *b, PyObject *task, PyObject *connection)
{
    uint64_t job = number_of(item(task, 0));
    batch found = {0};
    compat_lock(&guard);
    uint64_t *place = job == UINT64_MAX ? NULL : map_find(&batches, job + 1);
    if (place)
        found = *(const batch *)(uintptr_t)*place;
    if (place && found.last == number_of(item(task, 1)))
        drop_batch(job);
    compat_unlock(&guard);
    if (found.generation != b->generation)
        return;
    job_id id = {pipe_of(connection), task_number(task)};
    jobs_emit(b, POOL_SUBMITTED, found.func, id,
         (pool_job_details){.since_ns = found.since_ns ? found.since_ns : jobs_now_ns(),
                            .tid = found.since_ns ? found.tid : 0, .stack = found.stack});
}

/* --- pickled and sent --- */

/* Pickling an object may send other things, and pickle those. */
static int is_inside(const thread_jobs *j)
{
    return j->out.kind && !j->out.is_pickled && compat_is_caller(PyThreadState_Get(), j->out.frame) &&
           (runs(j->out.frame, known.dumps) || runs(j->out.frame, known.loky_dumps));
}

/* `raised` is what the job has raised, perhaps with its traceback as text; NULL or None: nothing. */
static void end(thread_buffer *b, thread_jobs *j, PyObject *raised)
{
    if (is_failure(raised))
        raised = attribute(raised, names.exc);
    j->own.runs = 0;
    jobs_emit(b, POOL_ENDED, raised && raised != Py_None ? codes_type_name(raised) : 0, j->own.job, (pool_job_details){0});
}

void jobs_on_pickle(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    thread_jobs *j = jobs_of(b);
    if (is_inside(j))
        return;
    j->out.kind = NO_JOB;
    const compat_frame *frame = current(), *by;
    PyObject *object = pickled_by(frame);
    if (is_call_item(object)) {
        j->out.kind = CALL;
        j->out.job = (job_id){0, number_of(attribute(object, names.work_id))};
    } else if (is_result_item(object)) {
        j->out.kind = RESULT;
        j->out.job = (job_id){j->own.job.pool, number_of(attribute(object, names.work_id))};
        if (j->own.runs && j->out.job.number == j->own.job.number) /* so loky tells of what a job has raised */
            end(b, j, attribute(object, names.exception));
    } else if (is_tuple_of(object, 5) && runs(by = calling(frame), known.pool_send) &&
               runs(calling(by), known.handle_tasks)) {
        j->out.kind = CALL;
        j->out.job = (job_id){0, task_number(object)};
        tell_chunk(b, object, local(by, 0));
    } else if (is_tuple_of(object, 3) && (by = calling(frame)) && runs(calling(by), known.pool_worker)) {
        j->out.kind = RESULT;
        j->out.job = (job_id){j->own.job.pool, task_number(object)};
    }
    if (!j->out.kind)
        return;
    if (j->out.kind == RESULT && j->out.job.number != j->own.job.number)
        j->out.kind = NO_JOB;
    j->out.is_pickled = 0;
    j->out.frame = frame;
    j->out.since_ns = jobs_now_ns();
}

void jobs_on_pickled(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    thread_jobs *j = jobs_of(b);
    if (!j->out.kind || j->out.is_pickled || j->out.frame != current())
        return;
    j->out.is_pickled = 1;
    j->out.pickling_ns = jobs_now_ns() - j->out.since_ns;
}

static uint64_t size_of(PyObject *buffer)
{
    if (buffer && PyMemoryView_Check(buffer))
        return (uint64_t)PyMemoryView_GET_BUFFER(buffer)->len;
    return buffer && PyBytes_Check(buffer) ? (uint64_t)PyBytes_GET_SIZE(buffer) : 0;
}

void jobs_on_send(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    thread_jobs *j = jobs_of(b);
    if (!j->out.kind || !j->out.is_pickled)
        return;
    const compat_frame *frame = current();
    if (j->out.kind == CALL)
        j->out.job.pool = pipe_of(local(frame, 0));
    j->out.bytes = size_of(local(frame, 1));
    j->out.since_ns = jobs_now_ns();
}

int jobs_is_sending(const thread_buffer *b)
{
    const thread_jobs *j = jobs_of(b);
    return j->out.kind && j->out.is_pickled;
}

void jobs_on_sent(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    thread_jobs *j = jobs_of(b);
    if (!j->out.kind || !j->out.is_pickled)
        return;
    jobs_emit(b, j->out.kind == CALL ? POOL_SENT : POOL_RESULT_SENT, 0, j->out.job,
         (pool_job_details){.bytes = j->out.bytes, .pickling_ns = j->out.pickling_ns, .since_ns = j->out.since_ns});
    j->out.kind = NO_JOB;
}

/* --- read and run --- */

void jobs_on_read(thread_buffer *b, uint64_t bytes)
{
    thread_jobs *j = jobs_of(b);
    j->in.bytes = bytes;
    j->in.at_ns = jobs_now_ns();
}

void jobs_on_got(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick;
    int is_call = is_call_item(value);
    if (!is_call && !is_tuple_of(value, 5))
        return;
    const compat_frame *frame = current(), *by = calling(frame);
    if (!runs(by, is_call ? known.process_worker : known.pool_worker) && !(is_call && runs(by, known.loky_worker)))
        return;
    thread_jobs *j = jobs_of(b);
    uint64_t number = is_call ? number_of(attribute(value, names.work_id)) : task_number(value);
    j->own.job = (job_id){jobs_pool_of_queue(local(frame, 0)), number};
    j->own.runs = number != UINT64_MAX && j->own.job.pool;
    if (!j->own.runs)
        return;
    uint32_t func = is_call ? function_of(attribute(value, names.fn), NULL) : function_of(item(value, 2), item(value, 3));
    jobs_emit(b, POOL_BEGUN, func, j->own.job,
         (pool_job_details){.bytes = j->in.bytes, .pickling_ns = jobs_now_ns() - j->in.at_ns, .stack = stacks_here()});
}

void jobs_on_end(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    thread_jobs *j = jobs_of(b);
    if (j->own.runs)
        end(b, j, local(current(), 3));
}

void jobs_on_put(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    thread_jobs *j = jobs_of(b);
    const compat_frame *frame = current();
    if (!j->own.runs || !runs(calling(frame), known.pool_worker))
        return;
    PyObject *outcome = item(local(frame, 1), 2);
    end(b, j, item(outcome, 0) == Py_False ? item(outcome, 1) : NULL);
}

/* --- the result is there --- */

void jobs_on_received(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick;
    uint64_t number;
    if (is_result_item(value))
        number = number_of(attribute(value, names.work_id));
    else if (is_tuple_of(value, 3) && runs(calling(current()), known.handle_results))
        number = task_number(value);
    else
        return;
    thread_jobs *j = jobs_of(b);
    j->result.number = number;
    j->result.bytes = j->in.bytes;
    j->result.pickling_ns = jobs_now_ns() - j->in.at_ns;
}

static void take_result(thread_buffer *b, uint64_t pool)
{
    thread_jobs *j = jobs_of(b);
    if (j->result.bytes)
        jobs_emit(b, POOL_RESULT_RECEIVED, 0, (job_id){pool, j->result.number},
             (pool_job_details){.bytes = j->result.bytes, .pickling_ns = j->result.pickling_ns});
    j->result.bytes = 0;
}

void jobs_on_result_item(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current();
    if (is_result_item(local(frame, 1)))
        take_result(b, jobs_pool_of_queue(attribute(local(frame, 0), names.call_queue)));
}

void jobs_on_pool_set(thread_buffer *b, uint64_t tick, PyObject *value)
{
    (void)tick, (void)value;
    const compat_frame *frame = current();
    if (runs(calling(frame), known.handle_results)) {
        PyObject *pool = attribute(local(frame, 0), names._pool);
        take_result(b, jobs_pool_of_queue(attribute(pool, names._inqueue)));
    }
}

/* --- set-up --- */

int jobs_know(PyObject *found, const known_row *rows, size_t row_count, const known_name *texts, size_t text_count)
{
    for (size_t i = 0; i < text_count; i++)
        if (!*texts[i].place && !(*texts[i].place = PyUnicode_InternFromString(texts[i].text)))
            return -1;
    for (size_t i = 0; PyDict_Check(found) && i < row_count; i++) {
        PyObject *object = PyDict_GetItemString(found, rows[i].name);
        if (object && rows[i].is_code)
            object = PyFunction_Check(object) ? PyFunction_GET_CODE(object) : PyCode_Check(object) ? object : NULL;
        if (object)
            Py_XSETREF(*rows[i].place, Py_NewRef(object));
    }
    return 0;
}

PyDoc_STRVAR(setup_doc, "setup_jobs(found)\n\nWhat of the standard library jobs are recognised by, as jobs.c lists it.");

static PyObject *setup_jobs(PyObject *module, PyObject *found)
{
    (void)module;
    static const known_row rows[] = {CODES(JOBS_CODE_ROW) OBJECTS(JOBS_OBJECT_ROW)};
    static const known_name texts[] = {NAMES(JOBS_NAME_ROW)};
    if (jobs_know(found, rows, sizeof rows / sizeof *rows, texts, sizeof texts / sizeof *texts) < 0)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef jobs_methods[] = {
    {"setup_jobs", setup_jobs, METH_O, setup_doc},
    {NULL, NULL, 0, NULL},
};
