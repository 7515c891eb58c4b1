/* The track of a contended lock: who holds it when, and how many wait for it. */
#include "timeline/holds.h"

#include <stdio.h>
#include <string.h>

#include "ring/intern.h"
#include "ring/stack_names.h"
#include "ring/text.h"

enum { LOCK_TRACKS = 256 };

/* "Lock", for "lock wait: Lock" too. */
static const char *kind_text(uint32_t kind, size_t *length)
{
    const char *text = intern_text(kind, length);
    size_t skipped = sizeof SCHEMA_TEXT_LOCK_WAIT_PREFIX - 1;
    if (*length < skipped || memcmp(text, SCHEMA_TEXT_LOCK_WAIT_PREFIX, skipped))
        return text;
    *length -= skipped;
    return text + skipped;
}

void hold_tracks(timeline *t, lock_line *lock, uint32_t kind, uint32_t site)
{
    if (lock->kind)
        return;
    lock->kind = kind;
    lock->site = site;
    if (t->lock_tracks == LOCK_TRACKS)
        return;
    t->lock_tracks++;
    lock->has_tracks = 1;
    char name[NAME_BYTES];
    size_t kind_length, site_length;
    const char *shown = kind_text(kind, &kind_length);
    const char *place = intern_text(site, &site_length);
    int length = snprintf(name, sizeof name, "%.*s%s%.*s", (int)kind_length, shown, site ? " " : "", (int)site_length,
                          place);
    track_init(&t->out, &lock->on, TRACK_KIND_PLAIN, &t->all_locks, name,
               text_fit(name, (size_t)length, sizeof name - 1));
    lock->on.merge_none = 1;
    track_init(&t->out, &lock->waiting, TRACK_KIND_COUNTER, &lock->on, SCHEMA_TEXT_COUNTER_WAITERS,
               sizeof SCHEMA_TEXT_COUNTER_WAITERS - 1);
}

static void name_holder(const timeline *t, event *ev, const lock_line *lock, char *room, size_t size)
{
    const thread_line *thread = lock->owner_task ? NULL : timeline_thread_of(t, lock->owner);
    const task_line *task = lock->owner_task ? timeline_task(t, lock->owner_task) : NULL;
    if (thread) {
        ev->text = thread->on.name;
        ev->text_length = (uint32_t)thread->on.name_length;
    } else if (task) {
        ev->text = task->name;
        ev->text_length = task->name_length;
    } else {
        ev->text = room;
        ev->text_length = (uint32_t)snprintf(room, size, "%s %u", lock->owner_task ? "task" : "thread",
                                             lock->owner_task ? lock->owner_task : lock->owner);
    }
}

/* Without a GIL a waiter may have seen a lock as held that its holder had begun to release. */
static uint64_t forward(lock_line *lock, uint64_t ns)
{
    lock->hold_ns = ns > lock->hold_ns ? ns : lock->hold_ns;
    return lock->hold_ns;
}

void hold_begin(timeline *t, lock_line *lock, lock_owner owner, uint64_t ns)
{
    hold_end(t, lock, ns);
    ns = forward(lock, ns);
    lock->held = 1;
    lock->owner = owner.tid;
    lock->owner_task = owner.task;
    lock->owner_site = owner.site;
    if (!lock->has_tracks)
        return;
    char name[32];
    size_t length;
    const char *kind = kind_text(lock->kind, &length);
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = ns, .on = &lock->on, .type = SCHEMA_TYPE_SLICE_BEGIN,
                .category = SCHEMA_CAT_HOLD};
    name_holder(t, &ev, lock, name, sizeof name);
    event_uint(&ev, SCHEMA_ARG_LOCK, lock->id);
    event_text(&ev, SCHEMA_ARG_KIND, kind, length);
    if (owner.task)
        event_uint(&ev, SCHEMA_ARG_OWNER_TASK, owner.task);
    else
        event_uint(&ev, SCHEMA_ARG_OWNER, owner.tid);
    event_interned(&ev, SCHEMA_ARG_SITE, owner.site);
    if (owner.since_before)
        event_bool(&ev, SCHEMA_ARG_SINCE_BEFORE, 1);
    encoder_event(&t->out, &ev);
    lock->shown = 1;
}

void hold_end(timeline *t, lock_line *lock, uint64_t ns)
{
    lock->held = 0;
    if (!lock->shown)
        return;
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = forward(lock, ns), .on = &lock->on, .type = SCHEMA_TYPE_SLICE_END};
    const stack_facts *stack = stack_names_of(lock->release_stack);
    if (stack)
        event_interned(&ev, SCHEMA_ARG_STACK, stack->text);
    encoder_event(&t->out, &ev);
    lock->shown = 0;
    lock->release_stack = 0;
}

void hold_count(timeline *t, lock_line *lock, int change, uint64_t ns)
{
    lock->waiters += change;
    if (!lock->has_tracks)
        return;
    event ev = {.ns = ns, .on = &lock->waiting, .type = SCHEMA_TYPE_COUNTER, .counter = lock->waiters};
    encoder_event(&t->out, &ev);
}
