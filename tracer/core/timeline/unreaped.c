/* Children that have ended while nobody has waited for them yet: the kernel is asked in each pass, and the child stays
 * as it is.
 *
 * A process that reads a child's output to its end waits for everybody who has the pipe. Whether the child itself has
 * ended meanwhile, nobody else tells. */
#include "timeline/unreaped.h"

#include <string.h>
#include <sys/wait.h>

#include "packets/encoder.h"

void unreaped_begins(timeline *t, uint64_t pid)
{
    if (pid && t->child_count < sizeof t->children / sizeof *t->children)
        t->children[t->child_count++] = (pid_t)pid;
}

static void forget(timeline *t, uint32_t at)
{
    t->children[at] = t->children[--t->child_count];
}

void unreaped_ends(timeline *t, uint64_t pid)
{
    for (uint32_t i = 0; i < t->child_count; i++)
        if (t->children[i] == (pid_t)pid) {
            forget(t, i);
            return;
        }
}

static void tell(timeline *t, pid_t pid, uint64_t ns)
{
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &t->tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_CHILD_UNREAPED};
    event_uint(&ev, SCHEMA_ARG_CHILD, (uint64_t)pid);
    encoder_event(&t->out, &ev);
}

void unreaped_look(timeline *t, uint64_t ns)
{
    for (uint32_t i = t->child_count; i-- > 0;) {
        siginfo_t about;
        memset(&about, 0, sizeof about); /* without a result the pid stays 0 */
        int failed = waitid(P_PID, (id_t)t->children[i], &about, WEXITED | WNOHANG | WNOWAIT);
        if (!failed && !about.si_pid)
            continue; /* it runs */
        if (!failed)
            tell(t, t->children[i], ns);
        forget(t, i); /* told, or it is no child, or one that nobody need wait for */
    }
}
