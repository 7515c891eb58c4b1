/* The texts of a trace: strings of Python are made of those alone that somebody reads. */
#ifndef VIEWER_STRINGS_H
#define VIEWER_STRINGS_H
#include "wire.h"

typedef struct {
    Py_ssize_t before, from, bytes; /* as text `before` goes on from there; 0 bytes: nothing */
} Rest;

typedef struct Block Block;
typedef struct {
    PyObject_HEAD
    Pool pool;       /* its items: what each text begins with, of its own */
    Rest *rests;     /* the lines below, which it has in common with the stack before */
    PyObject **made; /* owned; NULL: nobody has read it */
    Py_ssize_t room; /* of both */
    Block *blocks;   /* where the bytes are */
    int is_plain;    /* all may be shown as they are: only printable ASCII and ends of lines */
    int has_lines;   /* some have an end of line */
} Strings;

typedef struct {
    Py_ssize_t text, from, left;
} Reader;

static inline Py_ssize_t text_bytes(const Strings *s, Py_ssize_t i)
{
    return s->pool.items[i].end - s->pool.items[i].at + s->rests[i].bytes;
}

/* The next bytes that lie together; none at the end. */
static inline Span next_piece(const Strings *s, Reader *r)
{
    while (r->left) {
        Span own = s->pool.items[r->text];
        Py_ssize_t behind = own.end - own.at - r->from;
        if (behind > 0) {
            Py_ssize_t bytes = behind < r->left ? behind : r->left;
            Span piece = {own.at + r->from, own.at + r->from + bytes};
            r->from += bytes;
            r->left -= bytes;
            return piece;
        }
        r->from = s->rests[r->text].from - behind;
        r->text = s->rests[r->text].before;
    }
    return (Span){0};
}

static inline int strings_are_names(const Strings *s)
{
    return s->is_plain && !s->has_lines;
}

int text_begins(const Strings *s, Py_ssize_t i, Span with);

/* Takes over a pool whose texts are still where they were read. NULL with an exception set. */
PyObject *strings_of(PyObject *module, Pool *pool);
/* The argument if it is such an object; NULL with an exception set. Not a new reference. */
Strings *strings_get(PyObject *module, PyObject *argument);
/* Readies a module for them; -1 with an exception set. */
int strings_add(PyObject *module);
enum { STATE_BYTES = sizeof(PyTypeObject *) };

#endif
