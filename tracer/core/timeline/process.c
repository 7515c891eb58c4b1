/* What the process of a trace is called. Perfetto's UI keeps the first name that it reads of a process: that of a child
 * is left out until the program has called it something. */
#include "timeline/process.h"

#include <string.h>

#include "ring/text.h"

enum { PATIENCE_NS = 1000 * 1000 * 1000 };

void process_call(timeline *t, const char *name, size_t length)
{
    length = text_fit(name, length, sizeof t->out.process_name - 1);
    memcpy(t->out.process_name, name, length);
    t->out.process_name[length] = 0;
    t->process.chunk = t->tracer.chunk = t->count_rss.chunk = 0; /* to be described again */
}

void process_call_by_program(timeline *t)
{
    if (!t->out.process_name[0] && t->process.name)
        process_call(t, t->process.name, strnlen(t->process.name, t->process.name_length));
}

void process_look(timeline *t, uint64_t ns)
{
    t->began_ns = t->began_ns ? t->began_ns : ns;
    if (ns - t->began_ns >= PATIENCE_NS)
        process_call_by_program(t);
}
