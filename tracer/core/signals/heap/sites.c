/* Live sampled blocks: those of a line, and the stacks of all. */
#define _GNU_SOURCE
#include "signals/heap/sites.h"

#include <stdlib.h>
#include <string.h>

#include "python/stacks.h"
#include "ring/intern.h"
#include "ring/stack_names.h"
#include "signals/heap/blocks.h"
#include "signals/slices.h"

enum { BLOCKS_MOST = 4096, STACKS_TOLD = 512, STACK_SLOTS = 2048, ROWS = 64 };

/* SITE is the end of "path:line function" or of "path:line", or the function. */
static int is_line(const char *line, size_t length, const char *site, size_t size)
{
    const char *space = memrchr(line, ' ', length);
    size_t ends[] = {length, space ? (size_t)(space - line) : length};
    for (int i = 0; i < 2; i++) {
        const char *from = line + ends[i] - size;
        if (size <= ends[i] && !memcmp(from, site, size) && (from == line || from[-1] == '/' || from[-1] == ' '))
            return 1;
    }
    return 0;
}

static int leads_through(uint32_t stack, const char *site, size_t size)
{
    const stack_facts *facts = stack_names_of(stack);
    size_t length;
    const char *text = facts ? intern_text(facts->text, &length) : NULL;
    for (const char *at = text, *end = text ? text + length : NULL; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t line = (size_t)((newline ? newline : end) - at);
        if (is_line(at, line, site, size))
            return 1;
        at += line + 1;
    }
    return 0;
}

typedef struct {
    const void *block;
    sampled of;
} found_block;

PyDoc_STRVAR(blocks_doc, "sampled_blocks(site) -> list\n\n"
"The live sampled blocks that were allocated there, or in what was called there: (address, number, bytes).");

static PyObject *sampled_blocks(PyObject *module, PyObject *arg)
{
    (void)module;
    Py_ssize_t size;
    const char *site = PyUnicode_AsUTF8AndSize(arg, &size);
    if (!site)
        return NULL;
    stacks_resolve();
    slices_give_way(ROWS);
    found_block *found = calloc(BLOCKS_MOST, sizeof *found);
    if (!found)
        return PyErr_NoMemory();
    int count = 0;
    Py_BEGIN_ALLOW_THREADS
    uint32_t at = 0;
    while (count < BLOCKS_MOST && blocks_next(&at, &found[count].block, &found[count].of))
        count += leads_through(found[count].of.stack, site, (size_t)size);
    Py_END_ALLOW_THREADS
    slices_begin();
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < count; i++) {
        PyObject *row = Py_BuildValue("(KIK)", (unsigned long long)(uintptr_t)found[i].block,
                                      (unsigned int)found[i].of.number, (unsigned long long)found[i].of.bytes);
        if (!row || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
        if (i % ROWS == 0)
            slices_give_way(ROWS);
    }
    free(found);
    return list;
}

/* The stack's place among those seen; -1: there is no room. */
static int place_of(uint32_t stack, uint32_t seen[STACK_SLOTS])
{
    uint32_t at = stack * 0x9E3779B1u % STACK_SLOTS;
    for (int tried = 0; tried < STACK_SLOTS; tried++, at = (at + 1) % STACK_SLOTS)
        if (!seen[at] || seen[at] == stack)
            return (int)at;
    return -1;
}

PyDoc_STRVAR(stacks_doc, "sampled_stacks() -> list\n\nThe stacks that allocated live sampled blocks, each once, as lines of text; 512 at most.");

static PyObject *sampled_stacks(PyObject *module, PyObject *unused)
{
    (void)module, (void)unused;
    uint32_t seen[STACK_SLOTS] = {0}, told[STACKS_TOLD];
    int count = 0;
    stacks_resolve();
    slices_give_way(ROWS);
    Py_BEGIN_ALLOW_THREADS
    uint32_t at = 0;
    const void *block;
    sampled of;
    while (count < STACKS_TOLD && blocks_next(&at, &block, &of)) {
        int place = of.stack ? place_of(of.stack, seen) : -1;
        if (place < 0 || seen[place])
            continue;
        seen[place] = told[count++] = of.stack;
    }
    Py_END_ALLOW_THREADS
    slices_begin();
    PyObject *list = PyList_New(0);
    for (int i = 0; list && i < count; i++) {
        const stack_facts *facts = stack_names_of(told[i]);
        size_t length = 0;
        const char *text = facts ? intern_text(facts->text, &length) : "";
        PyObject *row = PyUnicode_DecodeUTF8(text, (Py_ssize_t)length, "replace");
        if (!row || PyList_Append(list, row) < 0)
            Py_CLEAR(list);
        Py_XDECREF(row);
        if (i % ROWS == 0)
            slices_give_way(ROWS);
    }
    return list;
}

PyMethodDef sites_methods[] = {
    {"sampled_blocks", sampled_blocks, METH_O, blocks_doc},
    {"sampled_stacks", sampled_stacks, METH_NOARGS, stacks_doc},
    {NULL, NULL, 0, NULL},
};
