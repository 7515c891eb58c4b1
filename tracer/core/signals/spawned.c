/* What a child that is a new Python is told, and the environment or line that tells it. */
#define _GNU_SOURCE
#include "signals/spawned.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "python/plain.h"
#include "ring/family.h"

#define SEARCHED "PYTHONPATH" /* where Python finds our sitecustomize … */
#define ORDER "TRACER_CHILD"  /* … and what that one is told */

extern char **environ;

static PyObject *site_folder, *order; /* bytes; NULL: children that are a new Python do not record themselves */

static unsigned long long family;

uint64_t spawned_family(void)
{
    return family;
}

int spawned_is_armed(void)
{
    return order && family_folder()[0];
}

/* --- its environment --- */

static int starts_with(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* `was`: how the variable was that the child finds changed: u, unset; e, empty; s, set. */
static PyObject *order_entry(const char *before, const spawned_program *program, uint64_t flow, char was)
{
    return PyBytes_FromFormat("%s%zu %ld %c%c\n%s", before, (size_t)flow, (long)getpid(), program->how, was,
                              PyBytes_AS_STRING(order));
}

/* The value of PYTHONPATH, behind the text in `before`; `value` is "" for none. */
static PyObject *searched_entry(const char *before, const char *value)
{
    return PyBytes_FromFormat("%s%s%s%s", before, PyBytes_AS_STRING(site_folder), *value ? ":" : "", value);
}

static int append(PyObject *list, PyObject *item)
{
    int failed = !item || PyList_Append(list, item) < 0;
    Py_XDECREF(item);
    return failed ? -1 : 0;
}

static int fill_list(PyObject *list, const char *entry, char *was)
{
    if (starts_with(entry, ORDER "="))
        return 0;
    if (*was != 'u' || !starts_with(entry, SEARCHED "="))
        return append(list, PyBytes_FromString(entry));
    const char *value = entry + sizeof SEARCHED;
    *was = *value ? 's' : 'e';
    return append(list, searched_entry(SEARCHED "=", value));
}

PyObject *spawned_list(PyObject *given, const spawned_program *program, uint64_t flow)
{
    PyObject *list = PyList_New(0);
    char was = 'u';
    int failed = !list;
    if (given == Py_None) {
        for (char **at = environ; !failed && at && *at; at++)
            failed = fill_list(list, *at, &was) < 0;
    } else {
        failed |= !PyList_Check(given) && !PyTuple_Check(given);
        for (Py_ssize_t i = 0; !failed && i < PySequence_Fast_GET_SIZE(given); i++) {
            PyObject *entry = PySequence_Fast_GET_ITEM(given, i);
            failed = !PyBytes_CheckExact(entry) || fill_list(list, PyBytes_AS_STRING(entry), &was) < 0;
        }
    }
    if (!failed && was == 'u')
        failed = append(list, searched_entry(SEARCHED "=", "")) < 0;
    if (!failed)
        failed = append(list, order_entry(ORDER "=", program, flow, was)) < 0;
    if (failed)
        Py_CLEAR(list);
    PyErr_Clear();
    return list;
}

char **spawned_array(PyObject *list)
{
    Py_ssize_t count = PyList_GET_SIZE(list);
    char **array = PyMem_RawMalloc(((size_t)count + 1) * sizeof *array);
    for (Py_ssize_t i = 0; array && i < count; i++)
        array[i] = PyBytes_AS_STRING(PyList_GET_ITEM(list, i));
    if (array)
        array[count] = NULL;
    return array;
}

void spawned_put(char **array)
{
    for (; *array; array++)
        if (starts_with(*array, SEARCHED "=") || starts_with(*array, ORDER "="))
            putenv(*array);
}

/* A new dict; NULL if the mapping is no dict inside. Runs no code of the program. */
static PyObject *copied(PyObject *mapping)
{
    if (PyDict_CheckExact(mapping))
        return PyDict_Copy(mapping);
    PyObject *key = PyUnicode_InternFromString("_data"); /* of os.environ */
    PyObject *data = key && strcmp(Py_TYPE(mapping)->tp_name, "_Environ") == 0 ? plain_attribute(mapping, key) : NULL;
    PyObject *dict = data && PyDict_CheckExact(data) ? PyDict_Copy(data) : NULL;
    Py_XDECREF(data);
    Py_XDECREF(key);
    return dict;
}

static PyObject *own_environment(void)
{
    PyObject *dict = PyDict_New();
    for (char **at = environ; dict && at && *at; at++) {
        const char *equals = strchr(*at + (**at != 0), '=');
        PyObject *key = equals ? PyBytes_FromStringAndSize(*at, equals - *at) : NULL;
        PyObject *value = key ? PyBytes_FromString(equals + 1) : NULL;
        if (value && !PyDict_Contains(dict, key) && PyDict_SetItem(dict, key, value) < 0)
            Py_CLEAR(dict);
        Py_XDECREF(value);
        Py_XDECREF(key);
    }
    return dict;
}

static PyObject *key_of(PyObject *dict, const char *name)
{
    PyObject *key, *value;
    for (Py_ssize_t at = 0; PyDict_Next(dict, &at, &key, &value);)
        if ((PyUnicode_Check(key) && PyUnicode_CompareWithASCIIString(key, name) == 0) ||
            (PyBytes_Check(key) && strcmp(PyBytes_AS_STRING(key), name) == 0))
            return key;
    return NULL;
}

static int set(PyObject *dict, PyObject *key, PyObject *value)
{
    int failed = !key || !value || PyDict_SetItem(dict, key, value) < 0;
    Py_XDECREF(key);
    Py_XDECREF(value);
    return failed ? -1 : 0;
}

PyObject *spawned_dict(PyObject *given, const spawned_program *program, uint64_t flow)
{
    PyObject *dict = given == Py_None ? own_environment() : copied(given);
    PyObject *key = dict ? key_of(dict, SEARCHED) : NULL, *value = key ? PyDict_GetItemWithError(dict, key) : NULL;
    PyObject *text = value && PyUnicode_Check(value) ? PyUnicode_EncodeFSDefault(value) : Py_XNewRef(value);
    const char *bytes = !text ? "" : PyBytes_Check(text) ? PyBytes_AS_STRING(text) : NULL;
    int failed = !dict || !bytes || (value && !text);
    if (!failed && text && strlen(bytes) != (size_t)PyBytes_GET_SIZE(text))
        failed = 1;
    if (!failed)
        failed = set(dict, key ? Py_NewRef(key) : PyBytes_FromString(SEARCHED), searched_entry("", bytes)) < 0 ||
                 set(dict, PyBytes_FromString(ORDER),
                     order_entry("", program, flow, !key ? 'u' : *bytes ? 's' : 'e')) < 0;
    if (failed)
        Py_CLEAR(dict);
    Py_XDECREF(text);
    PyErr_Clear();
    return dict;
}

/* In single quotes, as a shell takes it. */
static PyObject *quoted(PyObject *text)
{
    PyObject *quote = PyBytes_FromString("'"), *parts = NULL, *result = NULL;
    const char *from = PyBytes_AS_STRING(text);
    result = quote;
    for (; result && *from; from++) {
        parts = *from == '\'' ? PyBytes_FromString("'\\''") : PyBytes_FromStringAndSize(from, 1);
        PyBytes_ConcatAndDel(&result, parts);
    }
    if (result)
        PyBytes_ConcatAndDel(&result, PyBytes_FromString("'"));
    return result;
}

/* Adds NAME='value' and a space, of an entry that it owns. */
static void add_assignment(PyObject **line, PyObject *entry)
{
    PyObject *value = entry ? quoted(entry) : NULL;
    Py_XDECREF(entry);
    if (*line)
        PyBytes_ConcatAndDel(line, value);
    else
        Py_XDECREF(value);
    if (*line)
        PyBytes_ConcatAndDel(line, PyBytes_FromString(" "));
}

/* The value of PYTHONPATH in an environment of either kind, as bytes; NULL: it has none, or `unknown` is set. */
static PyObject *searched_in(PyObject *environment, int *unknown)
{
    const char *own = getenv(SEARCHED);
    if (environment == Py_None)
        return own ? PyBytes_FromString(own) : NULL;
    if (PyList_Check(environment) || PyTuple_Check(environment)) {
        for (Py_ssize_t i = 0; i < PySequence_Size(environment); i++) {
            PyObject *entry = PySequence_Fast_GET_ITEM(environment, i);
            if (PyBytes_Check(entry) && starts_with(PyBytes_AS_STRING(entry), SEARCHED "="))
                return PyBytes_FromString(PyBytes_AS_STRING(entry) + sizeof SEARCHED);
        }
        return NULL;
    }
    PyObject *dict = copied(environment), *key = dict ? key_of(dict, SEARCHED) : NULL;
    PyObject *value = key ? PyDict_GetItemWithError(dict, key) : NULL;
    PyObject *bytes = value && PyUnicode_Check(value) ? PyUnicode_EncodeFSDefault(value)
                      : value && PyBytes_Check(value) ? Py_NewRef(value) : NULL;
    *unknown = !dict || (value && !bytes);
    Py_XDECREF(dict);
    return bytes;
}

PyObject *spawned_line(PyObject *given, const spawned_program *program, uint64_t flow)
{
    PyObject *owned, *line = NULL;
    const char *text = judge_bytes(PyTuple_GET_ITEM(given, 0), &owned);
    int unknown = 0;
    PyObject *before = searched_in(PyTuple_GET_ITEM(given, 1), &unknown);
    const char *was = before ? PyBytes_AS_STRING(before) : NULL;
    if (text && !unknown) {
        line = PyBytes_FromStringAndSize(text, (Py_ssize_t)program->line_at);
        if (line)
            PyBytes_ConcatAndDel(&line, PyBytes_FromString(SEARCHED "="));
        add_assignment(&line, searched_entry("", was ? was : ""));
        if (line)
            PyBytes_ConcatAndDel(&line, PyBytes_FromString(ORDER "="));
        add_assignment(&line, order_entry("", program, flow, !was ? 'u' : *was ? 's' : 'e'));
        if (line)
            PyBytes_ConcatAndDel(&line, PyBytes_FromString(text + program->line_at));
    }
    Py_XDECREF(before);
    Py_XDECREF(owned);
    PyErr_Clear();
    return line;
}

PyDoc_STRVAR(follow_doc, "follow_spawned(folder, order, family)\n\n"
"From now on children that are a new Python record themselves: sitecustomize in the folder is given the order.\n"
"None: they do not.");

static PyObject *follow_spawned(PyObject *module, PyObject *args)
{
    (void)module;
    PyObject *folder, *text;
    if (!PyArg_ParseTuple(args, "OOK", &folder, &text, &family))
        return NULL;
    Py_CLEAR(order);
    Py_CLEAR(site_folder);
    if (folder == Py_None)
        Py_RETURN_NONE;
    if (!PyUnicode_FSConverter(folder, &site_folder))
        return NULL;
    order = PyUnicode_EncodeFSDefault(text);
    if (!order)
        return NULL;
    Py_RETURN_NONE;
}

PyMethodDef spawned_methods[] = {
    {"follow_spawned", follow_spawned, METH_VARARGS, follow_doc},
    {NULL, NULL, 0, NULL},
};
