/* What a suspended task waits for, read from the chain of awaits below its coroutine. */
#include "signals/asyncio/await.h"

#include <string.h>

#include "python/plain.h"
#include "python/stacks.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "signals/asyncio/identity.h"
#include "signals/asyncio/permits.h"
#include "signals/libraries.h"

enum { CHAIN_LIMIT = 256, CHAIN_SETS = 256, CHAINS = 2 /* of a set, the newest first: two often meet */ };

HOT_DATA int await_names_locks;

static getter next_of_coroutine, next_of_generator, next_of_async_generator;
static HOT_DATA PyTypeObject *gathering_type;   /* asyncio.tasks._GatheringFuture */
static HOT_DATA PyTypeObject *future_iterator;  /* what `await future` awaits: most chains end in it */
/* A callback with which one future stands for another: its code, and which variable that it closes over has that. */
typedef struct {
    PyObject *code;
    Py_ssize_t variable;
} chaining;
static HOT_DATA chaining executor_chain, shield_chain; /* of a concurrent future; of shield() */
static HOT_DATA PyObject *str_callbacks, *str_qualname, *str_cr_await, *str_gr_frame, *path_to_callbacks;
static PyObject *cython_waits;   /* name of a Cython coroutine -> "await socket" … */
static PyObject *cython_lookups; /* … -> "await getaddrinfo": where it awaits a coroutine of asyncio's */
static HOT_DATA uint32_t text_future, text_gather, text_executor;

/* What the code of a chain says of it: most chains are the same again and again. Equal hashes are taken for equal
 * chains. */
typedef struct {
    _Alignas(64) uint64_t hash;
    uint32_t deaths, changes; /* as of these, of codes */
    uint32_t what, stack, site;
    int link;      /* that gave the name; -1: none did */
    code_facts by; /* a copy of what is known of its code, in the same line of the cache as far as it is needed */
} chain_facts;

static chain_facts known_chains[CHAIN_SETS][CHAINS];

static getter find_getter(PyTypeObject *type, const char *name)
{
    PyObject *found = PyObject_GetAttrString((PyObject *)type, name);
    getter get = NULL;
    if (found && Py_IS_TYPE(found, &PyGetSetDescr_Type))
        get = ((PyGetSetDescrObject *)found)->d_getset->get;
    else if (found)
        PyErr_Format(PyExc_RuntimeError, "%s.%s is not what this recorder knows", type->tp_name, name);
    Py_XDECREF(found);
    return get;
}

static void take_chaining(PyObject *facts, const char *name, chaining *found)
{
    PyObject *pair = PyDict_GetItemString(facts, name), *code;
    Py_ssize_t variable;
    if (pair && PyTuple_Check(pair) && PyArg_ParseTuple(pair, "O!n", &PyCode_Type, &code, &variable)) {
        Py_XSETREF(found->code, Py_NewRef(code));
        found->variable = variable;
    }
}

static void take_names(PyObject *facts, const char *name, PyObject **found)
{
    PyObject *names = PyDict_GetItemString(facts, name);
    if (names && PyDict_Check(names))
        Py_XSETREF(*found, Py_NewRef(names));
}

int await_setup(PyObject *facts)
{
    next_of_coroutine = find_getter(&PyCoro_Type, "cr_await");
    next_of_generator = find_getter(&PyGen_Type, "gi_yieldfrom");
    next_of_async_generator = find_getter(&PyAsyncGen_Type, "ag_await");
    if (!next_of_coroutine || !next_of_generator || !next_of_async_generator)
        return -1;
    PyObject *gathering = PyDict_GetItemString(facts, "gathering_type");
    if (gathering && PyType_Check(gathering))
        Py_XSETREF(gathering_type, (PyTypeObject *)Py_NewRef(gathering));
    PyObject *iterator = PyDict_GetItemString(facts, "future_iterator");
    if (iterator && PyType_Check(iterator))
        Py_XSETREF(future_iterator, (PyTypeObject *)Py_NewRef(iterator));
    take_chaining(facts, "executor_chain", &executor_chain);
    take_chaining(facts, "shield_chain", &shield_chain);
    take_names(facts, "cython_waits", &cython_waits);
    take_names(facts, "cython_lookups", &cython_lookups);
    if (!str_callbacks) {
        str_callbacks = PyUnicode_InternFromString("_callbacks");
        str_qualname = PyUnicode_InternFromString("__qualname__");
        str_cr_await = PyUnicode_InternFromString("cr_await");
        str_gr_frame = PyUnicode_InternFromString("gr_frame");
        path_to_callbacks = Py_BuildValue("(s)", "_done_callbacks");
    }
    memset(known_chains, 0, sizeof known_chains); /* their stacks may have been shorter */
    text_future = intern_string("await future", 12);
    text_gather = intern_string("await gather", 12);
    text_executor = intern_string("await executor", 14);
    return str_callbacks && str_qualname && str_cr_await && str_gr_frame && path_to_callbacks ? 0 : -1;
}

/* Each version of Cython has types of its own: `_cython_3_1_0.coroutine`. */
static int is_of_cython(PyTypeObject *type, const char *name)
{
    const char *last = strncmp(type->tp_name, "_cython_", 8) ? NULL : strrchr(type->tp_name, '.');
    return last && !strcmp(last + 1, name);
}

static int is_cython_coroutine(PyTypeObject *type)
{
    return is_of_cython(type, "coroutine") || is_of_cython(type, "iterable_coroutine");
}

static int find_inner(PyObject *object, void *found)
{
    if (object && (PyAsyncGen_CheckExact(object) || PyCoro_CheckExact(object) || is_cython_coroutine(Py_TYPE(object)))) {
        *(PyObject **)found = object;
        return 1;
    }
    return 0;
}

/* asend() and athrow() of an async generator, and coroutine.__await__(). */
static int is_opaque_wrapper(PyTypeObject *type)
{
    return type->tp_traverse &&
           (!strncmp(type->tp_name, "async_generator_a", 17) || !strcmp(type->tp_name, "coroutine_wrapper") ||
            is_of_cython(type, "coroutine_wrapper"));
}

/* The opaque wrappers have no attribute that leads on, but they do show the collector which objects
 * they hold. */
HOT PyObject *await_next(PyObject *at)
{
    getter get = PyCoro_CheckExact(at) ? next_of_coroutine
               : PyGen_CheckExact(at) ? next_of_generator
               : PyAsyncGen_CheckExact(at) ? next_of_async_generator : NULL;
    PyObject *next = NULL;
    if (Py_TYPE(at) == future_iterator)
        return NULL;
    if (get || is_cython_coroutine(Py_TYPE(at))) {
        next = get ? get(at, NULL) : PyObject_GetAttr(at, str_cr_await);
        if (next == Py_None)
            Py_CLEAR(next);
        else if (!next)
            PyErr_Clear();
    } else if (is_opaque_wrapper(Py_TYPE(at))) {
        Py_TYPE(at)->tp_traverse(at, find_inner, &next);
        Py_XINCREF(next);
    }
    return next;
}

static int is_python(PyObject *at)
{
    return PyCoro_CheckExact(at) || PyGen_CheckExact(at) || PyAsyncGen_CheckExact(at);
}

static int is_link(PyObject *at)
{
    return Py_TYPE(at) != future_iterator &&
           (is_python(at) || is_cython_coroutine(Py_TYPE(at)) || is_opaque_wrapper(Py_TYPE(at)));
}

/* What the function closes over, borrowed from it; NULL: it is no such callback. */
static PyObject *chained_by(PyObject *callback, const chaining *by)
{
    if (!by->code || !PyFunction_Check(callback) || PyFunction_GET_CODE(callback) != by->code)
        return NULL;
    PyObject *closure = PyFunction_GET_CLOSURE(callback);
    PyObject *cell = closure && by->variable < PyTuple_GET_SIZE(closure) ? PyTuple_GET_ITEM(closure, by->variable) : NULL;
    return cell && PyCell_Check(cell) ? PyCell_GET(cell) : NULL;
}

/* The first of a list of callbacks, or of callbacks with their contexts; borrowed from it. */
static PyObject *first_of(PyObject *callbacks)
{
    PyObject *first = callbacks && PyList_Check(callbacks) && PyList_GET_SIZE(callbacks) ? PyList_GET_ITEM(callbacks, 0) : NULL;
    return first && PyTuple_Check(first) && PyTuple_GET_SIZE(first) ? PyTuple_GET_ITEM(first, 0) : first;
}

/* Who makes the future that a task awaits adds the first callback: asyncio.shield() and asyncio.wrap_future() one of
 * theirs, and so does run_coroutine_threadsafe() to the concurrent future that this stands for. Follows these to what
 * is awaited in the end: another future, borrowed from the given one; or says that an executor has it. */
static HOT_ALONE PyObject *behind(PyObject *waiter, int *is_executor)
{
    PyObject *next = waiter;
    for (int depth = 0; next && depth < CHAIN_LIMIT; depth++) {
        waiter = next;
        PyObject *callbacks = PyObject_GetAttr(waiter, str_callbacks), *first = first_of(callbacks);
        PyObject *concurrent = first ? chained_by(first, &executor_chain) : NULL;
        next = first ? chained_by(first, &shield_chain) : NULL;
        if (!callbacks)
            PyErr_Clear();
        if (concurrent) {
            PyObject *own = plain_path(concurrent, path_to_callbacks), *done = first_of(own);
            next = done ? chained_by(done, &executor_chain) : NULL;
            *is_executor = !next;
            Py_XDECREF(own);
        }
        Py_XDECREF(callbacks);
    }
    return waiter;
}

/* The string "await …" for a Cython coroutine, 0: its waits have no name. */
static uint32_t cython_wait(PyObject *at, PyObject *next)
{
    int calls_python = next && (PyCoro_CheckExact(next) || !strcmp(Py_TYPE(next)->tp_name, "coroutine_wrapper"));
    PyObject *names = calls_python ? cython_lookups : cython_waits;
    if (!names || Py_TYPE(at) == future_iterator || !is_cython_coroutine(Py_TYPE(at)))
        return 0;
    PyObject *name = PyObject_GetAttr(at, str_qualname);
    uint32_t text = name ? codes_text(PyDict_GetItem(names, name)) : 0;
    PyErr_Clear();
    Py_XDECREF(name);
    return text;
}

/* The name that counts so far, as the chain is walked inwards. */
typedef struct {
    uint32_t what;
    const code_facts *by;      /* the code that gave the name, NULL: Cython's … */
    const compat_frame *frame; /* … and its frame */
    int link;                  /* which coroutine of the chain that is; -1: one of a greenlet's frames */
} naming;

/* What is known of a chain of awaits, which is walked from its outermost link inwards. */
typedef struct {
    naming name;
    stack_frame chain[CHAIN_LIMIT], *innermost; /* filled from its end, since a stack starts with its innermost frame */
    const code_facts *outside; /* the innermost code outside the scheduler, and where … */
    stack_frame site;          /* … it is */
    PyCodeObject *job; /* the user's function that another thread runs for it; NULL: none that is known */
    PyObject *stand_in; /* borrowed */
    int link;           /* number of the coroutine that is visited; -1: it is a greenlet */
    uint8_t has_users;
    uint8_t looks_at_objects; /* what is known is not the code's alone */
} walk;

static int is_of_package(const code_facts *facts)
{
    return facts && facts->label_of >= LABEL_OF_PACKAGE;
}

static int is_users(const code_facts *facts)
{
    return !facts->inside_package && !facts->inside_library;
}

/* Whether a name further inside counts before that of a package: only a package's own does, unless that is a
 * scheduler (anyio) and the other one is not (httpcore, which waits in anyio). */
static int is_better(const code_facts *facts, const code_facts *than)
{
    return is_of_package(facts) && (!facts->inside_scheduler || than->inside_scheduler);
}

/* A package's name holds for all that its code calls, until that calls the user's. */
static void name_by(naming *name, const code_facts *facts, const compat_frame *frame, int link, int is_innermost)
{
    int of_package = is_of_package(name->by);
    if (name->by && name->by->label_of == LABEL_OUTWARD)
        return;
    if (name->what && !name->by && facts->inside_scheduler) /* Cython's loop calls asyncio's code */
        return;
    if (facts->label && facts->label_of == LABEL_LAST && name->what)
        return;
    if (facts->label && (is_innermost || facts->label_of != LABEL_OF_PACKAGE_DIRECT)) {
        if (!of_package || is_better(facts, name->by))
            *name = (naming){facts->label, facts, frame, link};
    } else if (!facts->inside_scheduler && !(of_package && !is_users(facts))) {
        *name = (naming){0};
    }
}

static void visit(walk *w, stack_frame at, const code_facts *facts, const compat_frame *frame, int is_innermost)
{
    w->has_users |= is_users(facts);
    w->looks_at_objects |= facts->job || facts->greenlet || facts->stand_in;
    if (facts->job && !w->job && !w->has_users)
        w->job = library_job_of(facts->job, frame);
    name_by(&w->name, facts, frame, w->link, is_innermost);
    if (w->innermost > w->chain)
        *--w->innermost = at;
    if (!facts->inside_scheduler) {
        w->outside = facts;
        w->site = at;
    }
}

/* A coroutine runs functions in a greenlet, which waits in the coroutine's next await (SQLAlchemy). Of its frames
 * those count that are the user's, or called by these, or name the wait. The greenlet keeps all alive. */
static void visit_greenlet(walk *w, PyObject *greenlet)
{
    PyFrameObject *frames[CHAIN_LIMIT];
    PyObject *top = PyObject_GetAttr(greenlet, str_gr_frame);
    int depth = 0;
    for (PyFrameObject *at = top && PyFrame_Check(top) ? (PyFrameObject *)Py_NewRef(top) : NULL; at;
         at = PyFrame_GetBack(at)) {
        frames[depth++] = at;
        if (depth == CHAIN_LIMIT)
            break;
    }
    int by_users = 0, link = w->link;
    w->link = -1;
    for (int i = depth; i--;) {
        PyCodeObject *code = PyFrame_GetCode(frames[i]);
        const code_facts *facts = codes_of(code);
        if (is_users(facts) || by_users || facts->label)
            visit(w, (stack_frame){code, PyFrame_GetLasti(frames[i])}, facts, compat_frame_of(frames[i]), 0);
        by_users = is_users(facts);
        Py_DECREF(code);
    }
    w->link = link;
    while (depth)
        Py_DECREF(frames[--depth]);
    PyErr_Clear();
    Py_XDECREF(top);
}

static void visit_coroutine(walk *w, PyObject *at, int is_innermost)
{
    PyCodeObject *code = compat_gen_code(at);
    const code_facts *facts = codes_of(code);
    visit(w, (stack_frame){code, compat_gen_offset(at, code)}, facts, compat_gen_frame(at), is_innermost);
    if (facts->stand_in)
        w->stand_in = library_pool_of(facts->stand_in, compat_gen_frame(at)).object;
    PyObject *greenlet = facts->greenlet ? library_pool_of(facts->greenlet, compat_gen_frame(at)).object : NULL;
    if (greenlet)
        visit_greenlet(w, greenlet);
}

/* The function that another thread runs for the task stands for the user's code where the chain has none. */
static void visit_job(walk *w)
{
    if (w->job && !w->has_users && w->innermost > w->chain)
        *--w->innermost = (stack_frame){w->job, 0};
}

/* The tasks in, or behind, a set of who has the slots of a pool; NULL: it has none. */
static ALONE void find_holders(PyObject *set, await_facts *found)
{
    PyObject *items = set && PyAnySet_CheckExact(set) ? PyObject_GetIter(set) : NULL, *each;
    uint32_t known_count = 0;
    found->holders = (await_holders){0};
    while (items && known_count < HOLDERS_MOST && (each = PyIter_Next(items))) {
        compat_lock(&identity_guard);
        const known_task *known = identity_having(each);
        if (known)
            found->holders.tasks[known_count++] = known->id;
        compat_unlock(&identity_guard);
        Py_DECREF(each);
    }
    found->holder_count = known_count ? (uint32_t)PySet_GET_SIZE(set) : 0;
    PyErr_Clear();
    Py_XDECREF(items);
}

/* What the code that gave the name waits for. */
static HOT void find_awaited(const naming *name, await_facts *found)
{
    found->primitive = name->by->primitive;
    found->kind = name->by->kind;
    if (name->by->pool) {
        library_pool pool = library_pool_of(name->by->pool, name->frame);
        found->lock = Py_XNewRef(pool.object);
        found->slots = pool.slots;
        find_holders(pool.holders, found);
    } else if (found->primitive) {
        PyObject *self = compat_frame_local(name->frame, 0);
        found->lock = Py_XNewRef(self && PyCell_Check(self) ? PyCell_GET(self) : self);
        if (found->lock && found->primitive == PRIMITIVE_SIGNAL)
            found->holder_count = permits_tell(found->lock, found->what, &found->holders);
    }
}

/* --- the chain --- */

/* Each link is kept alive by the one before it, and the first by the task. So borrowed references are
 * enough while no Python code runs, and none runs in here until the names are read. */
typedef struct {
    int length;
    uint64_t hash; /* of where each link waits; 0: that does not tell all */
    PyObject *links[CHAIN_LIMIT];
} await_chain;

static inline uint64_t mix(uint64_t hash, uint64_t link)
{
    hash = (hash ^ link) * 0x9E3779B97F4A7C15ull;
    return hash ^ hash >> 29;
}

/* The address of the instruction that a coroutine is at: it tells the code, too. */
static inline uint64_t instruction_of(PyObject *gen)
{
    return (uintptr_t)compat_frame_at(compat_gen_frame(gen));
}

static HOT void follow(await_chain *chain, PyObject *coro)
{
    uint64_t hash = 1;
    int tells_all = 1;
    PyObject **link = chain->links, **end = link + CHAIN_LIMIT, *at = coro;
    while (at && link != end) {
        *link++ = at;
        if (COMPAT_KNOWS_AWAITED && __builtin_expect(PyCoro_CheckExact(at), 1)) {
            hash = mix(hash, instruction_of(at));
            at = compat_gen_awaited(at);
            continue;
        }
        int has_code = is_python(at);
        hash = mix(hash, has_code ? instruction_of(at) : (uintptr_t)Py_TYPE(at));
        if (Py_TYPE(at) == future_iterator)
            break;
        if (!has_code && is_cython_coroutine(Py_TYPE(at)))
            tells_all = 0;
        at = await_next(at);
        Py_XDECREF(at);
    }
    chain->length = (int)(link - chain->links);
    chain->hash = tells_all ? hash : 0;
}

static inline int is_fresh(const chain_facts *known, uint64_t hash)
{
    return known->hash == hash && known->deaths == codes_deaths && known->changes == codes_changes;
}

static HOT const chain_facts *known_chain(uint64_t hash)
{
    if (COMPAT_FREE_THREADED || !hash)
        return NULL;
    const chain_facts *set = known_chains[hash % CHAIN_SETS];
    return is_fresh(&set[0], hash) ? &set[0] : is_fresh(&set[1], hash) ? &set[1] : NULL;
}

static void know_chain(uint64_t hash, const chain_facts *facts)
{
    if (COMPAT_FREE_THREADED || !hash)
        return;
    chain_facts *set = known_chains[hash % CHAIN_SETS];
    if (set[0].hash != hash)
        set[1] = set[0];
    set[0] = *facts;
}

static HOT naming recall(const chain_facts *known, const await_chain *chain, await_facts *found)
{
    found->stack = known->stack;
    found->site = known->site;
    if (known->link < 0)
        return (naming){0};
    return (naming){known->what, &known->by, compat_gen_frame(chain->links[known->link]), known->link};
}

static ALONE naming look(const await_chain *chain, await_facts *found)
{
    walk w;
    w.name = (naming){0};
    w.innermost = w.chain + CHAIN_LIMIT;
    w.outside = NULL;
    w.job = NULL;
    w.stand_in = NULL;
    w.has_users = w.looks_at_objects = 0;
    uint32_t cython;
    for (w.link = 0; w.link < chain->length; w.link++) {
        PyObject *at = chain->links[w.link], *next = w.link + 1 < chain->length ? chain->links[w.link + 1] : NULL;
        if (is_python(at))
            visit_coroutine(&w, at, !next || !is_link(next));
        else if ((cython = cython_wait(at, next)) && (!w.name.by || w.name.by->label_of == LABEL_INNER))
            w.name = (naming){.what = cython};
    }
    visit_job(&w);
    found->stand_in = w.stand_in;
    int length = (int)(w.chain + CHAIN_LIMIT - w.innermost);
    found->stack = stacks_named(stacks_put(w.innermost, length <= STACK_DEPTH_MOST ? length : STACK_DEPTH_MOST + 1));
    found->site = w.outside ? codes_line(w.site.code, w.outside, w.site.offset) : 0;
    if (!w.looks_at_objects) {
        chain_facts known = {chain->hash, codes_deaths, codes_changes, w.name.what, found->stack, found->site,
                             w.name.by ? w.name.link : -1, w.name.by ? *w.name.by : (code_facts){0}};
        know_chain(chain->hash, &known);
    }
    return w.name;
}

HOT void await_describe(PyObject *coro, PyObject *waiter, await_facts *found)
{
    memset(found, 0, offsetof(await_facts, holders)); /* those are there if there is a number of them */
    await_chain chain;
    follow(&chain, coro);
    const chain_facts *known = known_chain(chain.hash);
    naming name = known ? recall(known, &chain, found) : look(&chain, found);
    if (name.by && name.by->label_of == LABEL_OF_PACKAGE_DIRECT && identity_id(waiter))
        name = (naming){0}; /* another task, which has a name */
    found->what = name.what;
    if (name.by && await_names_locks)
        find_awaited(&name, found);
    if (found->what || !waiter)
        return;
    int is_executor = 0;
    waiter = behind(waiter, &is_executor);
    found->awaited = identity_id(waiter);
    if (gathering_type && Py_IS_TYPE(waiter, gathering_type))
        found->what = text_gather;
    else
        found->what = is_executor ? text_executor : text_future;
}

void await_emit(thread_buffer *b, uint64_t tick, uint32_t task, const await_facts *facts, const await_lock *lock)
{
    if (!lock) {
        await_emit_plain(b, tick, task, facts);
        return;
    }
    uint32_t count = lock->holders ? 3 : 2;
    record *slot = ring_reserve(b, count, tick);
    if (!slot)
        return;
    slot[0] = (record){tick, REC_STEP_AWAIT, 0, (uint16_t)(count - 1), task,
                       (uint64_t)facts->what << 32 | facts->site, (uint64_t)facts->stack << 32 | facts->awaited};
    memcpy(&slot[1], lock, sizeof *lock);
    if (count == 3)
        memcpy(&slot[2], &facts->holders, sizeof facts->holders);
    ring_commit(b, count);
}
