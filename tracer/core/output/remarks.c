/* Writes the recorder's own remarks. */
#include "output/remarks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ring/clock.h"
#include "ring/text.h"
#include "timeline/process.h"

static struct {
    char *python, *argv, *signals, *origin;
    uint64_t threshold_ns, family;
    uint32_t parent_pid;
} said;

static void keep(char **to, const char *text)
{
    free(*to);
    *to = strdup(text);
}

void remarks_keep(const writer_description *about)
{
    keep(&said.python, about->python);
    keep(&said.argv, about->argv);
    keep(&said.signals, about->signals);
    keep(&said.origin, about->origin);
    said.threshold_ns = about->threshold_ns;
    said.family = about->family;
    said.parent_pid = about->parent_pid;
}

static void add_text(event *ev, enum schema_arg name, const char *text)
{
    if (text)
        event_text(ev, name, text, strlen(text));
}

void remarks_announce(timeline *line, uint64_t ns, uint64_t began_ns)
{
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &line->tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_RECORDING};
    event_uint(&ev, SCHEMA_ARG_SCHEMA, SCHEMA_VERSION);
    add_text(&ev, SCHEMA_ARG_PYTHON, said.python);
    add_text(&ev, SCHEMA_ARG_ARGV, said.argv);
    add_text(&ev, SCHEMA_ARG_SIGNALS, said.signals);
    add_text(&ev, SCHEMA_ARG_CLOCK, clock_source_now == CLOCK_SOURCE_COUNTER ? "tsc" : "monotonic");
    event_uint(&ev, SCHEMA_ARG_THRESHOLD, said.threshold_ns);
    event_uint(&ev, SCHEMA_ARG_FAMILY, said.family);
    add_text(&ev, SCHEMA_ARG_ORIGIN, said.origin);
    if (said.parent_pid)
        event_uint(&ev, SCHEMA_ARG_PARENT_PID, said.parent_pid);
    if (began_ns)
        event_uint(&ev, SCHEMA_ARG_BEGAN, began_ns);
    encoder_event(&line->out, &ev);
}

void remarks_snapshot(timeline *line, uint64_t ns, const snapshot *taken, uint64_t window_ns)
{
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &line->tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_SNAPSHOT};
    add_text(&ev, SCHEMA_ARG_REASON, taken->reason);
    if (window_ns)
        event_uint(&ev, SCHEMA_ARG_ASKED, window_ns);
    if (taken->trigger) {
        add_text(&ev, SCHEMA_ARG_TRIGGER, taken->trigger);
        event_uint(&ev, SCHEMA_ARG_SINCE, taken->moment_ns);
        event_uint(&ev, SCHEMA_ARG_UNTIL, taken->moment_end_ns ? taken->moment_end_ns : ns);
    }
    event_interned(&ev, SCHEMA_ARG_SITE, taken->site);
    event_interned(&ev, SCHEMA_ARG_STACK, taken->stack);
    if (taken->task)
        event_uint(&ev, SCHEMA_ARG_TASK, taken->task);
    if (taken->tid)
        event_uint(&ev, SCHEMA_ARG_TID, taken->tid);
    if (taken->suppressed)
        event_uint(&ev, SCHEMA_ARG_COUNT, taken->suppressed);
    encoder_event(&line->out, &ev);
}

int remarks_record(const char *signal)
{
    return said.signals && text_has_word(said.signals, signal);
}

void remarks_note(timeline *line, uint64_t ns, const char *subject, const char *reason)
{
    char text[256];
    record r = {.kind = REC_NOTE, .flag = NOTE_OTHER, .a = (uint32_t)strlen(subject)};
    r.b = (uint64_t)snprintf(text, sizeof text, "%s%s", subject, reason);
    timeline_record(line, NULL, &r, ns, text);
}

static int ends_how; /* 0: unknown; 1: with an exit code; 2: by a signal */
static int ends_value;

void remarks_ends(int is_signal, int value)
{
    ends_how = 1 + (is_signal != 0);
    ends_value = value;
}

void remarks_conclude(timeline *line, uint64_t ns, uint64_t dropped, uint64_t bytes, uint64_t overhead_ns)
{
    process_call_by_program(line);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &line->tracer, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_TRACER, .name = SCHEMA_RECORDING_ENDED};
    event_uint(&ev, SCHEMA_ARG_EVENTS, line->out.events + 1);
    event_uint(&ev, SCHEMA_ARG_DROPPED, dropped);
    event_uint(&ev, SCHEMA_ARG_BYTES, bytes);
    event_uint(&ev, SCHEMA_ARG_OVERHEAD, overhead_ns);
    event_uint(&ev, SCHEMA_ARG_LATE, line->late);
    if (ends_how)
        event_uint(&ev, ends_how == 1 ? SCHEMA_ARG_STATUS : SCHEMA_ARG_SIGNAL, (uint64_t)ends_value);
    encoder_event(&line->out, &ev);
}
