/* How a command that reads a trace and ends takes memory from the system. */
#include "native.h"
#ifdef __GLIBC__
#include <limits.h>
#include <malloc.h>
#endif

/* Columns come and go by tens of megabytes. Each that has a mapping of its own is given back,
 * and the next one faults in new pages: a tenth of a report's time. Now they share one heap. */
PyObject *keep_memory(PyObject *module, PyObject *const *args, Py_ssize_t nargs)
{
    (void)module;
    (void)args;
    (void)nargs;
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 32 << 20); /* the largest that glibc takes */
    mallopt(M_TRIM_THRESHOLD, INT_MAX);
    mallopt(M_TOP_PAD, 16 << 20);
#endif
    Py_RETURN_NONE;
}
