/* The table of call stacks: a hash index over captured frames, whose names are found later.
 *
 * Everything happens with the GIL; where there is none, stacks are added under a spin lock, and names are
 * found and forgotten under a mutex. When a code object in the table dies, every stack not yet resolved is
 * resolved and the index forgets every frame, because other code may come to have that address. Ids handed
 * out stay valid. */
#include "python/stacks.h"

#include <string.h>
#include <sys/mman.h>

#include "python/codes.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "ring/map.h"
#include "ring/ring.h"
#include "ring/stack_names.h"
#include "schema.h"

enum {
    INDEX = 1 << 18,
    FRAMES = 1 << 20,
    SEEN_BITS = 1 << 16,
    RECENT = 256, /* sets … */
    WAYS = 4,     /* … of so many: a line of the cache */
    RESOLVED_AT_ONCE = 16,
    TEXT_MOST = SCHEMA_STACK_BYTES - sizeof SCHEMA_TEXT_FRAME_TRUNCATED,
};

typedef struct {
    uint64_t hash;
    uint32_t first, place; /* of its frames, and of itself in the index */
    uint16_t depth;
} stack_entry;

/* One mapping; only the part in use is touched. */
static HOT_DATA struct {
    stack_entry entries[STACKS_MOST];
    uint32_t index[INDEX]; /* entry + 1 … */
    stack_frame frames[FRAMES];
    uint8_t seen[SEEN_BITS / 8]; /* hashes of the codes in `frames` */
} *table;
/* Stacks found lately, by the last bits of their hash: one read where the table takes three from cold memory. Equal
 * hashes are taken for equal stacks. Each set has the newest first: a program has so few stacks that four seldom meet, but
 * two of them do in every second process. */
typedef struct {
    uint64_t hash;
    uint32_t id; /* 0: none */
} recent_stack;
static _Alignas(64) recent_stack recent[RECENT][WAYS];
static uint32_t entry_count = 1, frame_count, first_unresolved = 1, indexed_from = 1;
static HOT_DATA int depth_limit = 32;
static HOT_DATA PyInterpreterState *interpreter;
static uint8_t busy;        /* `frames`, `index` and `entry_count` change */
static compat_mutex naming; /* `first_unresolved` and `indexed_from` change: before `busy`, if both */
HOT_DATA _Atomic int stacks_pending;
static HOT_DATA const PyCodeObject *shim; /* NULL: none was met yet */

static int start(int depth)
{
    depth_limit = depth < 1 ? 1 : depth > STACK_DEPTH_MOST ? STACK_DEPTH_MOST : depth;
    interpreter = PyInterpreterState_Get();
    if (table)
        return 0;
    void *memory = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return -1;
    table = memory;
    return 0;
}

/* Hooks that a signal handler triggers on this thread meanwhile do nothing, as inside a half-written
 * record: they would wait for the code that the handler interrupted. */
static uint8_t enter_busy(void)
{
    uint8_t before = COMPAT_FREE_THREADED && ring_mine && ring_mine->writing;
    if (COMPAT_FREE_THREADED && ring_mine)
        ring_mine->writing = 1;
    compat_spin(&busy);
    return before;
}

static void leave_busy(uint8_t before)
{
    compat_unspin(&busy);
    if (COMPAT_FREE_THREADED && ring_mine)
        ring_mine->writing = before;
}

static inline unsigned seen_bit(const PyCodeObject *code)
{
    return map_hash((uint64_t)(uintptr_t)code) & (SEEN_BITS - 1);
}

static int same_frames(const stack_entry *entry, const stack_frame *frames, int depth)
{
    const stack_frame *known = &table->frames[entry->first];
    for (int i = 0; i < depth; i++)
        if (known[i].code != frames[i].code || known[i].offset != frames[i].offset)
            return 0;
    return 1;
}

static uint32_t find_or_add(const stack_frame *frames, int depth, uint64_t hash)
{
    uint32_t place = (uint32_t)(hash >> 32) & (INDEX - 1);
    for (; table->index[place]; place = (place + 1) & (INDEX - 1)) {
        const stack_entry *known = &table->entries[table->index[place] - 1];
        if (known->hash == hash && known->depth == depth && same_frames(known, frames, depth))
            return table->index[place] - 1;
    }
    if (entry_count == STACKS_MOST || frame_count + (uint32_t)depth > FRAMES)
        return 0;
    stack_entry *entry = &table->entries[entry_count];
    entry->hash = hash;
    entry->first = frame_count;
    entry->place = place;
    entry->depth = (uint16_t)depth;
    memcpy(&table->frames[frame_count], frames, (size_t)depth * sizeof *frames);
    frame_count += (uint32_t)depth;
    for (int i = 0; i < depth; i++)
        table->seen[seen_bit(frames[i].code) / 8] |= (uint8_t)(1u << (seen_bit(frames[i].code) % 8));
    table->index[place] = entry_count + 1;
    atomic_store_explicit(&stacks_pending, 1, memory_order_relaxed);
    uint32_t id = entry_count;
    __atomic_store_n(&entry_count, id + 1, __ATOMIC_RELEASE);
    return id;
}

static inline __attribute__((always_inline)) uint32_t recall(uint64_t hash)
{
    const recent_stack *set = recent[hash % RECENT];
    for (int i = 0; i < WAYS; i++)
        if (set[i].hash == hash)
            return set[i].id;
    return 0;
}

static HOT uint32_t put(const stack_frame *frames, int depth, uint64_t hash)
{
    uint32_t id = recall(hash);
    if (id)
        return id;
    id = find_or_add(frames, depth, hash);
    recent_stack *set = recent[hash % RECENT];
    if (id) { /* else there is no room, now and later */
        memmove(set + 1, set, (WAYS - 1) * sizeof *set);
        set[0] = (recent_stack){hash, id};
    }
    return id;
}

/* The address of a frame's instruction: it tells the code, too. 0: there are more callers. */
static inline uint64_t instruction_of(stack_frame frame)
{
    return frame.code ? (uintptr_t)frame.code->co_code_adaptive + (uintptr_t)(intptr_t)frame.offset : 0;
}

static inline uint64_t mix(uint64_t hash, uint64_t instruction)
{
    hash = (hash ^ instruction) * 0x9E3779B97F4A7C15ull;
    return hash ^ hash >> 29;
}

static inline uint32_t put_guarded(const stack_frame *frames, int depth, uint64_t hash)
{
    uint8_t before = enter_busy();
    uint32_t id = put(frames, depth, hash);
    leave_busy(before);
    return id;
}

uint32_t stacks_put(const stack_frame *frames, int depth)
{
    stack_frame cut[STACK_DEPTH_MOST + 1];
    uint64_t hash = 0;
    if (!table || depth < 1)
        return 0;
    if (depth > depth_limit) {
        memcpy(cut, frames, (size_t)depth_limit * sizeof *frames);
        cut[depth_limit] = (stack_frame){NULL, 0};
        frames = cut;
        depth = depth_limit + 1;
    }
    for (int i = 0; i < depth; i++)
        hash = mix(hash, instruction_of(frames[i]));
    return put_guarded(frames, depth, hash);
}

static inline int is_one_of(const void *code, const stack_ends *ends)
{
    if (__builtin_expect(!(ends->bits >> stack_end_place(code) & 1), 1))
        return 0;
    const void *const *codes = ends->codes;
    while (*codes && *codes != code)
        codes++;
    return *codes != NULL;
}

static inline stack_frame position_of(compat_frame *at, PyCodeObject *code)
{
    return (stack_frame){code, (int)((const char *)compat_frame_at(at) - code->co_code_adaptive)};
}

/* As stacks_capture_within(), which knows no such stack; a frame that is nobody's does not count. */
static ALONE uint32_t capture_new(PyThreadState *tstate, const stack_ends *ends, const void *frame)
{
    stack_frame frames[STACK_DEPTH_MOST + 1];
    uint64_t hash = 0;
    int depth = 0;
    for (compat_frame *at = *compat_frame_slot(tstate); at && depth <= depth_limit; at = at->previous) {
        PyCodeObject *code = compat_frame_code_unread(at);
        if (code && PyCode_Check(code) && compat_is_shim(code))
            shim = code;
        code = compat_frame_code(at);
        if (!code)
            continue;
        if (at == frame || is_one_of(code, ends))
            break;
        frames[depth] = depth == depth_limit ? (stack_frame){NULL, 0} : position_of(at, code);
        hash = mix(hash, depth++ == depth_limit ? 0 : (uintptr_t)compat_frame_at(at));
    }
    return depth ? put_guarded(frames, depth, hash) : 0;
}

/* Mostly the stack is a known one. So its frames are looked at, and not their codes, which nobody may have read lately:
 * the interpreter has one shim, whose address is known as soon as it was met. `called` NULL: nothing ends the stack. */
static inline __attribute__((always_inline)) uint32_t capture(PyThreadState *tstate, const stack_ends *ends,
                                                              const void *frame, PyCodeObject **called)
{
    if (!table || !tstate || tstate->interp != interpreter)
        return 0;
    uint64_t hash = 0;
    int depth = 0;
    const int limit = depth_limit;
    PyCodeObject *outermost = NULL;
    for (compat_frame *at = *compat_frame_slot(tstate); at; at = at->previous) {
        PyCodeObject *code = compat_frame_code_unread(at);
        if (!code || code == shim)
            continue;
        if (called && at == frame) {
            *called = outermost && PyCode_Check(outermost) && !compat_is_shim(outermost) ? outermost : NULL;
            break;
        }
        if (called && is_one_of(code, ends))
            break;
        outermost = code;
        if (depth++ == limit) {
            hash = mix(hash, 0);
            break;
        }
        hash = mix(hash, (uintptr_t)compat_frame_at(at));
    }
    uint8_t before = enter_busy();
    uint32_t id = recall(hash);
    leave_busy(before);
    return id || !depth ? id : capture_new(tstate, ends, frame);
}

HOT uint32_t stacks_capture_within(PyThreadState *tstate, const stack_ends *ends, const void *frame, PyCodeObject **called)
{
    *called = NULL;
    return capture(tstate, ends, frame, called);
}

HOT uint32_t stacks_capture(PyThreadState *tstate)
{
    static const stack_ends none;
    return capture(tstate, &none, NULL, NULL);
}

/* "await Queue.get" for "lock wait: Queue.get". */
static uint32_t await_text(uint32_t wait)
{
    char text[128];
    size_t length, prefix = sizeof SCHEMA_TEXT_LOCK_WAIT_PREFIX - 1;
    const char *name = intern_text(wait, &length);
    if (length <= prefix || length - prefix > sizeof text - sizeof SCHEMA_TEXT_AWAIT_PREFIX)
        return 0;
    int size = PyOS_snprintf(text, sizeof text, "%s%.*s", SCHEMA_TEXT_AWAIT_PREFIX, (int)(length - prefix), name + prefix);
    return intern_string(text, (size_t)size);
}

/* The site is the innermost frame of the program's own code. Of the library frames inside it that can name
 * the wait, the outermost wins (Queue.get over Condition.wait); before these, the innermost of a package. */
static stack_facts resolve(const stack_entry *entry)
{
    char text[TEXT_MOST + sizeof SCHEMA_TEXT_FRAME_TRUNCATED];
    size_t length = 0;
    int in_library = 1, may_name = 1, is_cut = 0;
    stack_facts facts = {0};
    for (int i = 0; i < entry->depth; i++) {
        const stack_frame *frame = &table->frames[entry->first + (uint32_t)i];
        if (!frame->code)
            continue;
        const code_facts *code = codes_of(frame->code);
        uint32_t line = codes_line(frame->code, code, frame->offset);
        may_name &= (code->inside_library || code->inside_package) && !code->runs_others;
        if (may_name && code->wait && (in_library || code->pool)) {
            facts.wait = code->wait;
            facts.wait_depth = (uint16_t)i;
            may_name = !code->pool;
        }
        if (may_name && (code->label || code->wait))
            facts.await = code->label ? code->label : await_text(code->wait);
        if (in_library && !code->inside_library) {
            in_library = 0;
            facts.site = line;
        }
        size_t size;
        const char *shown = intern_text(line, &size);
        if (length + size >= TEXT_MOST)
            is_cut = 1;
        if (is_cut)
            continue; /* a site may still follow */
        memcpy(text + length, shown, size);
        length += size;
        text[length++] = '\n';
    }
    const stack_frame *innermost = &table->frames[entry->first];
    if (!facts.site)
        facts.site = codes_line(innermost->code, codes_of(innermost->code), innermost->offset);
    if (is_cut || !table->frames[entry->first + entry->depth - 1u].code)
        length += (size_t)PyOS_snprintf(text + length, sizeof text - length, "%s", SCHEMA_TEXT_FRAME_TRUNCATED);
    else if (length)
        length--; /* the last line's end */
    facts.text = intern_lines(text, length);
    return facts;
}

uint32_t stacks_end(void)
{
    return __atomic_load_n(&entry_count, __ATOMIC_ACQUIRE);
}

static void resolve_to(uint32_t end)
{
    PyObject *raised = PyErr_GetRaisedException();
    while (first_unresolved < end) {
        uint32_t id = first_unresolved++;
        stack_names_put(id, resolve(&table->entries[id]));
    }
    PyErr_SetRaisedException(raised);
}

static void resolve_all(void)
{
    atomic_store_explicit(&stacks_pending, 0, memory_order_relaxed);
    while (first_unresolved < stacks_end())
        resolve_to(stacks_end());
}

int stacks_resolve_some(uint32_t end)
{
    if (!table)
        return 0;
    compat_lock(&naming);
    uint32_t to = first_unresolved + RESOLVED_AT_ONCE;
    resolve_to(to < end ? to : end);
    int is_left = first_unresolved < end;
    compat_unlock(&naming);
    return is_left;
}

void stacks_resolve(void)
{
    if (!table)
        return;
    compat_lock(&naming);
    resolve_all();
    compat_unlock(&naming);
}

static _Atomic int asked;

static int resolve_now(void *unused)
{
    (void)unused;
    atomic_store(&asked, 0);
    stacks_resolve();
    return 0;
}

void stacks_ask(void)
{
    if (atomic_load(&stacks_pending) && !atomic_exchange(&asked, 1) && compat_call_soon(resolve_now) < 0)
        atomic_store(&asked, 0);
}

static void forget_frames(void)
{
    for (uint32_t i = indexed_from; i < entry_count; i++)
        table->index[table->entries[i].place] = 0;
    memset(recent, 0, sizeof recent);
    memset(table->seen, 0, sizeof table->seen);
    indexed_from = entry_count;
    frame_count = 0;
}

void stacks_code_dies(PyCodeObject *code)
{
    unsigned bit = seen_bit(code);
    if (!table || !(table->seen[bit / 8] & 1u << (bit % 8)))
        return;
    compat_lock(&naming);
    for (int done = 0; !done;) {
        resolve_all();
        uint8_t before = enter_busy();
        done = first_unresolved == entry_count; /* else another thread has added it meanwhile */
        if (done)
            forget_frames();
        leave_busy(before);
    }
    compat_unlock(&naming);
}

PyDoc_STRVAR(keep_doc, "keep_stacks(depth)\n\nSets how many frames the stack of a wait has at most.");

static PyObject *keep_stacks(PyObject *module, PyObject *depth)
{
    (void)module;
    long value = PyLong_AsLong(depth);
    if (PyErr_Occurred() || codes_start() < 0)
        return NULL;
    return start((int)value) < 0 ? PyErr_NoMemory() : Py_NewRef(Py_None);
}

PyMethodDef stacks_methods[] = {
    {"keep_stacks", keep_stacks, METH_O, keep_doc},
    {NULL, NULL, 0, NULL},
};
