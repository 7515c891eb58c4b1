/* The type of a trace's texts: a sequence of str. Python twin: strings.py. */
#include "strings.h"

enum { SHOWN_AT_ONCE = 64, BLOCK_BYTES = 1 << 20 };

struct Block {
    Block *next;
    Py_ssize_t used, room;
    uint8_t bytes[];
};

typedef struct {
    PyTypeObject *strings; /* the module's own reference keeps it */
} State;
static_assert(sizeof(State) == STATE_BYTES, "what the module keeps");

static inline uint8_t is_odd(uint8_t byte)
{
    return (uint8_t)(((uint8_t)(byte - ' ') > '~' - ' ') & (byte != '\n'));
}

/* Blocks of one length become vector instructions: stacks may be hundreds of megabytes. */
static int may_be_shown(Span s)
{
    uint8_t odd = 0;
    for (; s.end - s.at >= SHOWN_AT_ONCE && !odd; s.at += SHOWN_AT_ONCE) {
        for (int i = 0; i < SHOWN_AT_ONCE; i++) {
            odd |= is_odd(s.at[i]);
        }
    }
    for (; s.at < s.end && !odd; s.at++) {
        odd = is_odd(*s.at);
    }
    return !odd;
}

/* How many bytes two texts have in common at their ends. */
static Py_ssize_t alike_at_end(Span one, Span other)
{
    Py_ssize_t n = one.end - one.at, m = other.end - other.at, most = n < m ? n : m, found = 0;
    while (most - found >= SHOWN_AT_ONCE
           && !memcmp(one.end - found - SHOWN_AT_ONCE, other.end - found - SHOWN_AT_ONCE,
                      SHOWN_AT_ONCE)) {
        found += SHOWN_AT_ONCE;
    }
    while (found < most && one.end[-found - 1] == other.end[-found - 1]) {
        found++;
    }
    return found;
}

/* Where the lines begin that the text and the one before have in common at their ends. */
static const uint8_t *known_from(Span text, Span before)
{
    Py_ssize_t alike = alike_at_end(text, before);
    const uint8_t *at = text.end - alike, *other = before.end - alike;
    int is_line = (at == text.at || at[-1] == '\n') && (other == before.at || other[-1] == '\n');
    if (is_line || at == text.end) {
        return at;
    }
    const uint8_t *end = memchr(at, '\n', (size_t)alike);
    return end ? end + 1 : text.end;
}

/* A copy that lives as long as the object; -1 with an exception set. */
static int keep_bytes(Strings *s, Span *text)
{
    Py_ssize_t bytes = text->end - text->at;
    if (!s->blocks || s->blocks->room - s->blocks->used < bytes) {
        Py_ssize_t room = bytes < BLOCK_BYTES ? BLOCK_BYTES : bytes;
        Block *block = PyMem_RawMalloc(sizeof *block + (size_t)room);
        if (!block) {
            PyErr_NoMemory();
            return -1;
        }
        *block = (Block){s->blocks, 0, room};
        s->blocks = block;
    }
    uint8_t *at = s->blocks->bytes + s->blocks->used;
    memcpy(at, text->at, (size_t)bytes);
    s->blocks->used += bytes;
    *text = (Span){at, at + bytes};
    return 0;
}

/* Room for what is known of each text of the pool; -1 with an exception set. */
static int reserve(Strings *s)
{
    if (s->pool.room <= s->room) {
        return 0;
    }
    Rest *rests = PyMem_RawRealloc(s->rests, (size_t)s->pool.room * sizeof *rests);
    s->rests = rests ? rests : s->rests;
    PyObject **made = PyMem_RawRealloc(s->made, (size_t)s->pool.room * sizeof *made);
    s->made = made ? made : s->made;
    if (!rests || !made) {
        PyErr_NoMemory();
        return -1;
    }
    memset(s->rests + s->room, 0, (size_t)(s->pool.room - s->room) * sizeof *rests);
    memset(s->made + s->room, 0, (size_t)(s->pool.room - s->room) * sizeof *made);
    s->room = s->pool.room;
    return 0;
}

/* Keeps the bytes of the pool's texts, without the lines that the stack before has as well. */
static int keep_all(Strings *s)
{
    Py_ssize_t last = -1;
    Span before = {0};
    for (Py_ssize_t i = 0; i < s->pool.count; i++) {
        Span text = s->pool.items[i], own = text;
        if (memchr(text.at, '\n', (size_t)(text.end - text.at))) {
            own.end = last < 0 ? text.end : known_from(text, before);
            Py_ssize_t bytes = text.end - own.end;
            if (bytes) { /* where these bytes are themselves, not a chain of texts that have them */
                Span of_last = s->pool.items[last];
                Py_ssize_t from = before.end - before.at - bytes;
                Py_ssize_t behind = from - (of_last.end - of_last.at);
                s->rests[i] = behind < 0
                    ? (Rest){last, from, bytes}
                    : (Rest){s->rests[last].before, s->rests[last].from + behind, bytes};
            }
            before = text;
            last = i;
            s->has_lines = 1;
        }
        s->is_plain &= may_be_shown(own);
        if (keep_bytes(s, &own) < 0) {
            return -1;
        }
        s->pool.items[i] = own;
    }
    return 0;
}

static Strings *empty(PyObject *module)
{
    const State *state = PyModule_GetState(module);
    Strings *s = (Strings *)state->strings->tp_alloc(state->strings, 0);
    if (s) {
        s->is_plain = 1;
    }
    return s;
}

PyObject *strings_of(PyObject *module, Pool *pool)
{
    Strings *s = empty(module);
    if (!s) {
        return NULL;
    }
    s->pool = *pool;
    *pool = (Pool){0};
    if (reserve(s) < 0 || keep_all(s) < 0) {
        s->pool.count = 0;
        Py_CLEAR(s);
    }
    return (PyObject *)s;
}

Strings *strings_get(PyObject *module, PyObject *argument)
{
    const State *state = PyModule_GetState(module);
    if (!Py_IS_TYPE(argument, state->strings)) {
        PyErr_SetString(PyExc_TypeError, "texts of a trace, please");
        return NULL;
    }
    return (Strings *)argument;
}

int text_begins(const Strings *s, Py_ssize_t i, Span with)
{
    if (text_bytes(s, i) < with.end - with.at) {
        return 0;
    }
    Reader reader = {i, 0, with.end - with.at};
    for (Span piece; (piece = next_piece(s, &reader)).at; with.at += piece.end - piece.at) {
        if (memcmp(piece.at, with.at, (size_t)(piece.end - piece.at))) {
            return 0;
        }
    }
    return 1;
}

/* What is known to be ASCII is copied; Python shares the shortest texts. */
static PyObject *make(const Strings *s, Py_ssize_t i)
{
    Reader reader = {i, 0, text_bytes(s, i)};
    Py_ssize_t bytes = reader.left;
    int is_copied = s->is_plain && bytes > 1;
    PyObject *text = is_copied ? PyUnicode_New(bytes, '~') : PyBytes_FromStringAndSize(NULL, bytes);
    if (!text) {
        return NULL;
    }
    char *at = is_copied ? (char *)PyUnicode_1BYTE_DATA(text) : PyBytes_AS_STRING(text);
    for (Span piece; (piece = next_piece(s, &reader)).at; at += piece.end - piece.at) {
        memcpy(at, piece.at, (size_t)(piece.end - piece.at));
    }
    if (!is_copied) {
        Py_SETREF(text, PyUnicode_DecodeUTF8(PyBytes_AS_STRING(text), bytes, "replace"));
    }
    return text;
}

static PyObject *get(PyObject *self, Py_ssize_t i)
{
    Strings *s = (Strings *)self;
    if (i < 0 || i >= s->pool.count) {
        PyErr_SetString(PyExc_IndexError, "no such text");
        return NULL;
    }
    PyObject *text = __atomic_load_n(&s->made[i], __ATOMIC_ACQUIRE);
    if (!text) {
        PyObject *new = make(s, i);
        if (!new) {
            return NULL;
        }
        if (__atomic_compare_exchange_n(&s->made[i], &text, new, 0, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            text = new;
        } else { /* another thread was first */
            Py_DECREF(new);
        }
    }
    return Py_NewRef(text);
}

static PyObject *subscript(PyObject *self, PyObject *key)
{
    Py_ssize_t i = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) {
        return NULL;
    }
    return get(self, i < 0 ? i + ((Strings *)self)->pool.count : i);
}

static Py_ssize_t length(PyObject *self)
{
    return ((Strings *)self)->pool.count;
}

/* The same text as another object: one that knows more of it. */
static int set(PyObject *self, Py_ssize_t i, PyObject *text)
{
    Strings *s = (Strings *)self;
    if (i < 0 || i >= s->pool.count || !text || !PyUnicode_Check(text)) {
        PyErr_SetString(PyExc_IndexError, "a text in the place of one, please");
        return -1;
    }
    Py_XSETREF(s->made[i], Py_NewRef(text));
    return 0;
}

/* The UTF-8 of a text, which keeps it; -1 with an exception set. */
static int utf8_of(PyObject *text, Span *found)
{
    Py_ssize_t bytes;
    const char *at = PyUnicode_AsUTF8AndSize(text, &bytes);
    *found = (Span){(const uint8_t *)at, (const uint8_t *)at + (at ? bytes : 0)};
    return at ? 0 : -1;
}

static Py_ssize_t number_of(const Strings *s, Span text, uint64_t hash)
{
    const Pool *pool = &s->pool;
    Slot *slot = pool->slots.all ? slots_first(&pool->slots, hash) : NULL;
    for (; slot && slot->item; slot = slots_next(&pool->slots, slot)) {
        Py_ssize_t i = (Py_ssize_t)slot->item - 1;
        if (slot->hash == (uint32_t)hash && text_bytes(s, i) == text.end - text.at
            && text_begins(s, i, text)) {
            return i;
        }
    }
    return -1;
}

static PyObject *find(PyObject *self, PyObject *text)
{
    Span wanted;
    if (utf8_of(text, &wanted) < 0) {
        return NULL;
    }
    return PyLong_FromSsize_t(number_of((Strings *)self, wanted, hash_bytes(wanted)));
}

/* A further text, whose place in the table is the first one's that is equal. */
static int add(Strings *s, PyObject *text)
{
    Span own;
    if (utf8_of(text, &own) < 0 || pool_reserve(&s->pool) < 0 || reserve(s) < 0) {
        return -1;
    }
    uint64_t hash = hash_bytes(own);
    int is_new = number_of(s, own, hash) < 0;
    if (keep_bytes(s, &own) < 0) {
        return -1;
    }
    Py_ssize_t i = s->pool.count++;
    s->pool.items[i] = own;
    s->made[i] = Py_NewRef(text);
    if (is_new) {
        Slot *slot = slots_first(&s->pool.slots, hash);
        while (slot->item) {
            slot = slots_next(&s->pool.slots, slot);
        }
        *slot = (Slot){(uint32_t)hash, (uint32_t)i + 1};
    }
    return 0;
}

static PyObject *append(PyObject *self, PyObject *text)
{
    if (add((Strings *)self, text) < 0) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* strings(texts): an object of the texts of a list */
PyObject *strings(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    if (nargs != 1 || !PyList_CheckExact(args[0])) {
        PyErr_SetString(PyExc_TypeError, "a list of texts, please");
        return NULL;
    }
    Strings *s = empty(module);
    for (Py_ssize_t i = 0; s && i < PyList_GET_SIZE(args[0]); i++) {
        if (add(s, PyList_GET_ITEM(args[0], i)) < 0) {
            Py_CLEAR(s);
        }
    }
    return (PyObject *)s;
}

static void dealloc(PyObject *self)
{
    Strings *s = (Strings *)self;
    PyTypeObject *type = Py_TYPE(self);
    for (Py_ssize_t i = 0; i < s->pool.count; i++) {
        Py_XDECREF(s->made[i]);
    }
    for (Block *block = s->blocks, *next; block; block = next) {
        next = block->next;
        PyMem_RawFree(block);
    }
    PyMem_RawFree(s->pool.slots.all);
    PyMem_RawFree(s->pool.items);
    PyMem_RawFree(s->pool.last);
    PyMem_RawFree(s->rests);
    PyMem_RawFree(s->made);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"__getitem__", subscript, METH_O | METH_COEXIST, NULL}, /* the method alone: half the time */
    {"find", find, METH_O, NULL},
    {"append", append, METH_O, NULL},
    {0},
};

static PyType_Slot slots[] = {
    {Py_tp_dealloc, dealloc},
    {Py_tp_methods, methods},
    {Py_sq_length, length},
    {Py_sq_item, get},
    {Py_sq_ass_item, set},
    {Py_mp_length, length},
    {Py_mp_subscript, subscript},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "viewer.trace._decoder.Strings",
    .basicsize = sizeof(Strings),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE
            | Py_TPFLAGS_SEQUENCE,
    .slots = slots,
};

int strings_add(PyObject *module)
{
    State *state = PyModule_GetState(module);
    state->strings = (PyTypeObject *)PyType_FromModuleAndSpec(module, &spec, NULL);
    if (!state->strings) {
        return -1;
    }
    int bad = PyModule_AddType(module, state->strings);
    Py_DECREF(state->strings);
    return bad;
}
