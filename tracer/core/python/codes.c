/* Code objects and callables as small integers, and the lines they are at.
 *
 * Tables are keyed by address; a code watcher removes an entry when its code dies, so nothing of the
 * program is kept alive. */
#include "python/codes.h"

#include <string.h>

#include "python/utf8.h"
#include "ring/hot.h"
#include "ring/intern.h"
#include "ring/map.h"
#include "ring/memory.h"
#include "ring/text.h"

enum { RECENT = 256, SITE_BYTES = 768, SITE_FILE_BYTES = 500, NEARBY = 32, SCHEDULERS = 10 };

static HOT_DATA map by_code;     /* code -> code_facts* */
static struct {
    _Alignas(32) PyCodeObject *code;
    code_facts *facts;
    uint32_t func; /* of these, which would be one more place to read */
} recent[RECENT]; /* the same by a few bits of the address, for the codes that wait again and again */
static map by_position; /* func << 32 | offset -> site string */
static HOT_DATA map by_method;   /* PyMethodDef* -> function id */
static compat_mutex guard;
/* Folders whose code is not the user's. */
typedef struct {
    char path[1024];
    size_t length;
} folder;
static folder schedulers[SCHEDULERS], library;
static int watcher = -1;
HOT_DATA uint32_t codes_deaths;
HOT_DATA uint32_t codes_changes;
static code_dies *const *listeners; /* NULL ends it */

static inline unsigned place_of(PyCodeObject *code)
{
    return (unsigned)((uintptr_t)code >> 5) & (RECENT - 1);
}

static int on_code_event(PyCodeEvent event, PyCodeObject *code)
{
    if (event != PY_CODE_EVENT_DESTROY)
        return 0;
    codes_deaths++;
    for (code_dies *const *tell = listeners; *tell; tell++)
        (*tell)(code);
    compat_lock(&guard);
    uint64_t *known = map_find(&by_code, (uint64_t)(uintptr_t)code);
    if (known) {
        if (recent[place_of(code)].code == code)
            recent[place_of(code)].code = NULL;
        Py_XDECREF(((code_facts *)(uintptr_t)*known)->runs);
        memory_give((void *)(uintptr_t)*known, sizeof(code_facts));
        map_remove(&by_code, (uint64_t)(uintptr_t)code);
    }
    compat_unlock(&guard);
    return 0;
}

void codes_on_death(code_dies *const *whom)
{
    listeners = whom;
}

/* The watcher stays for the life of the process: removing it would leave stale addresses. */
int codes_start(void)
{
    if (watcher < 0)
        watcher = PyCode_AddWatcher(on_code_event);
    return watcher < 0 ? -1 : 0;
}

uint32_t codes_text(PyObject *text)
{
    Py_ssize_t length;
    PyObject *owned;
    if (!text || !PyUnicode_Check(text))
        return 0;
    const char *bytes = utf8_of(text, &length, &owned);
    uint32_t id = length ? intern_string(bytes, (size_t)length) : 0;
    Py_XDECREF(owned);
    return id;
}

static uint32_t type_text(const char *name)
{
    return *name ? intern_string(name, strlen(name)) : intern_string(TEXT_UNNAMED, sizeof TEXT_UNNAMED - 1);
}

uint32_t codes_type_name(PyObject *object)
{
    const char *name = Py_TYPE(object)->tp_name;
    const char *dot = strrchr(name, '.');
    return type_text(dot ? dot + 1 : name);
}

static PyObject *name_of(const PyCodeObject *code)
{
    return PyUnicode_GET_LENGTH(code->co_qualname) ? code->co_qualname : code->co_name;
}

/* "file:line function" */
static uint32_t site_text(PyCodeObject *code, int line)
{
    char text[SITE_BYTES];
    PyObject *owners[2];
    Py_ssize_t file_length, name_length;
    const char *file = utf8_of(code->co_filename, &file_length, &owners[0]);
    const char *name = utf8_of(name_of(code), &name_length, &owners[1]);
    size_t length = text_shown(text, SITE_FILE_BYTES, file, (size_t)file_length);
    length += (size_t)PyOS_snprintf(text + length, sizeof text - length, ":%d ", line);
    length += text_shown(text + length, sizeof text - length, name, (size_t)name_length);
    Py_XDECREF(owners[0]);
    Py_XDECREF(owners[1]);
    return intern_string(text, length);
}

static uint32_t function_name(PyCodeObject *code)
{
    uint32_t name = codes_text(name_of(code));
    if (name)
        return name;
    char text[SITE_FILE_BYTES];
    PyObject *owned;
    Py_ssize_t length;
    const char *file = utf8_of(code->co_filename, &length, &owned);
    name = intern_string(text, text_place(text, sizeof text, file, (size_t)length, code->co_firstlineno));
    Py_XDECREF(owned);
    return name;
}

static int is_below(const char *file, const folder *in)
{
    return in->length && !strncmp(file, in->path, in->length);
}

static int is_of_scheduler(const char *file)
{
    for (int i = 0; i < SCHEDULERS; i++)
        if (is_below(file, &schedulers[i]))
            return 1;
    return 0;
}

static int is_of_package(const char *file)
{
    return strstr(file, "/site-packages/") || strstr(file, "/dist-packages/");
}

static int is_of_library(const char *file)
{
    if (file[0] == '<')
        return !strncmp(file, "<frozen ", 8);
    return is_below(file, &library) && !is_of_package(file);
}

/* Copies without an allocation: as UTF-8, cut at `room`. */
static void copy_text(char *out, size_t room, PyObject *text)
{
    char *at = out, *end = out + room - 5;
    for (Py_ssize_t i = 0; i < PyUnicode_GET_LENGTH(text) && at < end; i++) {
        Py_UCS4 c = PyUnicode_READ_CHAR(text, i);
        int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
        *at++ = (char)(more ? (0xf00 >> more & 0xff) | c >> 6 * more : c);
        while (more--)
            *at++ = (char)(0x80 | (c >> 6 * more & 0x3f));
    }
    *at = 0;
}

enum code_owner codes_owner(const PyCodeObject *code)
{
    char copied[sizeof library.path];
    const char *file = copied;
    if (PyUnicode_IS_COMPACT_ASCII(code->co_filename))
        file = PyUnicode_DATA(code->co_filename);
    else
        copy_text(copied, sizeof copied, code->co_filename);
    return is_of_package(file) ? OWNER_PACKAGE : is_of_library(file) ? OWNER_LIBRARY : OWNER_USER;
}

uint32_t codes_user_line(const compat_frame *frame)
{
    for (; frame; frame = compat_frame_caller(frame)) {
        PyCodeObject *code = compat_frame_code(frame);
        if (code && codes_owner(code) == OWNER_USER)
            return codes_line(code, codes_of(code), compat_frame_offset(frame));
    }
    return 0;
}

static void place_facts(PyCodeObject *code, code_facts *facts)
{
    const char *file = PyUnicode_AsUTF8(code->co_filename);
    if (!file)
        PyErr_Clear();
    facts->inside_scheduler = file && is_of_scheduler(file);
    facts->inside_library = file && (facts->inside_scheduler || is_of_library(file));
    facts->inside_package = file && is_of_package(file);
}

static COLD code_facts *make_facts(PyCodeObject *code)
{
    code_facts *facts = memory_take(sizeof *facts);
    if (!facts)
        return NULL;
    facts->func = intern_function(function_name(code), site_text(code, code->co_firstlineno));
    place_facts(code, facts);
    return facts;
}

HOT const code_facts *codes_of(PyCodeObject *code)
{
    static const code_facts nothing;
    unsigned place = place_of(code);
    compat_lock(&guard);
    if (recent[place].code == code) {
        compat_unlock(&guard);
        return recent[place].facts;
    }
    uint64_t *known = map_find(&by_code, (uint64_t)(uintptr_t)code);
    code_facts *facts = known ? (code_facts *)(uintptr_t)*known : NULL;
    if (!facts) {
        facts = make_facts(code);
        known = facts ? map_put(&by_code, (uint64_t)(uintptr_t)code) : NULL;
        if (known) {
            *known = (uint64_t)(uintptr_t)facts;
        } else {
            memory_give(facts, sizeof *facts);
            facts = NULL;
        }
    }
    if (facts) {
        recent[place].code = code;
        recent[place].facts = facts;
        recent[place].func = facts->func;
    }
    compat_unlock(&guard);
    return facts ? facts : &nothing;
}

HOT uint32_t codes_func(PyCodeObject *code)
{
    unsigned place = place_of(code);
    compat_lock(&guard);
    uint32_t known = recent[place].code == code ? recent[place].func : 0;
    compat_unlock(&guard);
    return known ? known : codes_of(code)->func;
}

code_facts *codes_change(PyCodeObject *code)
{
    codes_changes++;
    return (code_facts *)codes_of(code);
}

/* Some instructions have no line of their own, or 0: they belong to what is before them. */
static int nearest_line(PyCodeObject *code, int offset)
{
    int line = PyCode_Addr2Line(code, offset);
    for (int back = 1; line < 1 && back <= NEARBY && offset >= back * (int)sizeof(_Py_CODEUNIT); back++)
        line = PyCode_Addr2Line(code, offset - back * (int)sizeof(_Py_CODEUNIT));
    return line < 1 ? code->co_firstlineno : line;
}

/* The caller holds the guard. */
static uint32_t line_of(PyCodeObject *code, const code_facts *facts, int offset)
{
    if (offset < 0)
        offset = 0;
    uint64_t *known = map_put(&by_position, (uint64_t)facts->func << 32 | (uint32_t)offset | 1ull << 63);
    uint32_t site = known ? (uint32_t)*known : 0;
    if (!site) {
        site = site_text(code, nearest_line(code, offset));
        if (known)
            *known = site;
    }
    return site;
}

uint32_t codes_line(PyCodeObject *code, const code_facts *facts, int offset)
{
    compat_lock(&guard);
    uint32_t site = line_of(code, facts, offset);
    compat_unlock(&guard);
    return site;
}

void codes_remember(PyCodeObject *code)
{
    if (__atomic_load_n(&recent[place_of(code)].code, __ATOMIC_RELAXED) != code)
        codes_of(code);
}

uint32_t codes_line_if_known(PyCodeObject *code, int offset)
{
    compat_lock(&guard);
    uint64_t *known = map_find(&by_code, (uint64_t)(uintptr_t)code);
    uint32_t site = known ? line_of(code, (code_facts *)(uintptr_t)*known, offset) : 0;
    compat_unlock(&guard);
    return site;
}

/* The type of the object, or that of its bases, which has the method. */
static PyTypeObject *type_with(PyTypeObject *type, const PyMethodDef *def)
{
    for (PyTypeObject *at = type; at; at = at->tp_base)
        for (const PyMethodDef *has = at->tp_methods; has && has->ml_name; has++)
            if (has == def)
                return at;
    return type;
}

static HOT uint32_t method_function(PyObject *callable)
{
    PyMethodDef *def = ((PyCFunctionObject *)callable)->m_ml;
    PyObject *self = PyCFunction_GET_SELF(callable);
    compat_lock(&guard);
    uint64_t *known = map_find(&by_method, (uint64_t)(uintptr_t)def);
    uint32_t func = known ? (uint32_t)*known : 0;
    compat_unlock(&guard);
    if (func)
        return func;
    char name[256];
    int length = self && !PyModule_Check(self)
        ? PyOS_snprintf(name, sizeof name, "%s.%s", type_with(Py_TYPE(self), def)->tp_name, def->ml_name)
        : PyOS_snprintf(name, sizeof name, "%s", def->ml_name);
    func = intern_function(intern_string(name, text_fit(name, (size_t)length, sizeof name - 1)), 0);
    compat_lock(&guard);
    if ((known = map_put(&by_method, (uint64_t)(uintptr_t)def)))
        *known = func;
    compat_unlock(&guard);
    return func;
}

/* What a functools.partial calls, as a new reference; for `partial(context.run, f)` that is f. */
static PyObject *inside_partial(PyObject *partial)
{
    PyObject *inner = PyObject_GetAttrString(partial, "func");
    PyObject *self = inner && PyCFunction_Check(inner) ? PyCFunction_GET_SELF(inner) : NULL;
    if (!self || !PyContext_CheckExact(self))
        return inner;
    PyObject *args = PyObject_GetAttrString(partial, "args");
    if (args && PyTuple_Check(args) && PyTuple_GET_SIZE(args))
        Py_SETREF(inner, Py_NewRef(PyTuple_GET_ITEM(args, 0)));
    Py_XDECREF(args);
    PyErr_Clear();
    return inner;
}

/* A Cython function knows its name; its type has another one with each version of Cython. */
static uint32_t other_callable(PyObject *callable)
{
    const char *type = Py_TYPE(callable)->tp_name, *last = strrchr(type, '.');
    PyObject *name = !strcmp(last ? last + 1 : type, "cython_function_or_method")
        ? PyObject_GetAttrString(callable, "__qualname__") : NULL;
    PyErr_Clear();
    uint32_t text = codes_text(name);
    Py_XDECREF(name);
    return intern_function(text ? text : type_text(type), 0);
}

/* What is called in the end, below methods and partials, as a new reference. */
static HOT PyObject *inmost(PyObject *callable)
{
    Py_INCREF(callable);
    for (int depth = 0; depth < 8; depth++) {
        PyObject *inner = NULL;
        if (PyMethod_Check(callable))
            inner = Py_NewRef(PyMethod_GET_FUNCTION(callable));
        else if (!PyFunction_Check(callable) && !strcmp(Py_TYPE(callable)->tp_name, "functools.partial"))
            inner = inside_partial(callable);
        if (!inner)
            break;
        Py_SETREF(callable, inner);
    }
    PyErr_Clear();
    return callable;
}

PyCodeObject *codes_of_callable(PyObject *callable)
{
    PyObject *called = inmost(callable);
    PyCodeObject *code = PyFunction_Check(called) ? (PyCodeObject *)PyFunction_GET_CODE(called) : NULL;
    Py_DECREF(called);
    return code;
}

HOT uint32_t codes_callable(PyObject *callable)
{
    PyObject *called = inmost(callable);
    uint32_t func;
    if (PyFunction_Check(called))
        func = codes_func((PyCodeObject *)PyFunction_GET_CODE(called));
    else if (PyCFunction_Check(called))
        func = method_function(called);
    else
        func = other_callable(called);
    Py_DECREF(called);
    return func;
}

PyDoc_STRVAR(label_doc, "label_code(code, text, rank)\n\nNames waits inside `code`: \"await Lock\"; rank: see codes.h.");

static PyObject *label_code(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *code, *text;
    int rank;
    if (!PyArg_ParseTuple(args, "O!Ui", &PyCode_Type, &code, &text, &rank))
        return NULL;
    code_facts *facts = codes_change((PyCodeObject *)code);
    if (facts->func) {
        facts->label = codes_text(text);
        facts->label_of = (uint8_t)rank;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(wrapper_doc, "label_wrapper(code, local, names)\n\nA task of the coroutine `code` is named by what it runs:\n"
"a coroutine or a function, found from this local variable by the names of attributes.");

static PyObject *label_wrapper(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *code, *names;
    unsigned short local;
    if (!PyArg_ParseTuple(args, "O!HO!", &PyCode_Type, &code, &local, &PyTuple_Type, &names))
        return NULL;
    code_facts *facts = codes_change((PyCodeObject *)code);
    if (facts->func && local < ((PyCodeObject *)code)->co_nlocalsplus) {
        facts->runs_at = local;
        Py_XSETREF(facts->runs, Py_NewRef(names));
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(wait_doc, "name_wait(code, text, is_signal=False)\n\nNames what a thread waits for inside `code`, a function of the\n"
"standard library: \"lock wait: Queue.get\". \"\": it runs what it is given, which waits for reasons of its own.");

static PyObject *name_wait(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *code, *text;
    int is_signal = 0;
    if (!PyArg_ParseTuple(args, "O!U|p", &PyCode_Type, &code, &text, &is_signal))
        return NULL;
    code_facts *facts = codes_change((PyCodeObject *)code);
    if (facts->func) {
        facts->is_signal = (uint8_t)is_signal;
        facts->wait = codes_text(text);
        facts->runs_others = !facts->wait;
    }
    Py_RETURN_NONE;
}

PyDoc_STRVAR(folder_doc, "code_folder(path, of_scheduler)\n\nCode below `path` is not the user's, but that of a\n"
"library that runs tasks, or of the standard library.");

/* Some of its code may be known already. */
static PyObject *code_folder(PyObject *module, PyObject *args)
{
    (void)module;
    const char *text;
    Py_ssize_t length;
    int of_scheduler;
    if (!PyArg_ParseTuple(args, "s#p", &text, &length, &of_scheduler))
        return NULL;
    folder *of = of_scheduler ? schedulers : &library;
    while (of_scheduler && of < &schedulers[SCHEDULERS - 1] && of->length && strcmp(of->path, text))
        of++;
    if (of->length == (size_t)length && !strcmp(of->path, text))
        Py_RETURN_NONE; /* as in a forked child: all that is known was placed by it */
    if ((size_t)length < sizeof of->path) {
        memcpy(of->path, text, (size_t)length + 1);
        of->length = (size_t)length;
    }
    codes_changes++;
    compat_lock(&guard);
    for (uint32_t i = 0; by_code.slots && i <= by_code.mask; i++)
        if (by_code.slots[i].key)
            place_facts((PyCodeObject *)(uintptr_t)by_code.slots[i].key, (code_facts *)(uintptr_t)by_code.slots[i].value);
    compat_unlock(&guard);
    Py_RETURN_NONE;
}

PyMethodDef codes_methods[] = {
    {"label_code", label_code, METH_VARARGS, label_doc},
    {"label_wrapper", label_wrapper, METH_VARARGS, wrapper_doc},
    {"name_wait", name_wait, METH_VARARGS, wait_doc},
    {"code_folder", code_folder, METH_VARARGS, folder_doc},
    {NULL, NULL, 0, NULL},
};
