/* Turns records into slices: who waited for a lock, behind whom, and whose release ended it.
 *
 * A wait is written when the thread runs again, so everything that happened to the lock meanwhile is known
 * by then. The owner is the thread that held the lock as the wait began, or, if that is unknown (released,
 * and granted to a waiter that had not run yet), the next to acquire it. */
#include "timeline/waits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOLDER_NAME = 40, HOLDERS_TEXT = 500 };

lock_line *lock_line_of(const timeline *t, uint64_t id)
{
    uint64_t *slot = map_find(&t->locks, id);
    return slot ? (lock_line *)(uintptr_t)*slot : NULL;
}

static lock_line *add_line(timeline *t, uint32_t id)
{
    lock_line *lock = calloc(1, sizeof *lock);
    uint64_t *slot = lock ? map_put(&t->locks, id) : NULL;
    if (!slot) {
        free(lock);
        return NULL;
    }
    lock->id = id;
    *slot = (uint64_t)(uintptr_t)lock;
    return lock;
}

static void free_line(lock_line *lock)
{
    for (uint32_t i = 0; i < lock->release_count; i++)
        thread_line_let_go(lock->releases[i].by);
    if (lock->has_tracks) {
        track_free(&lock->on);
        track_free(&lock->waiting);
    }
    free(lock->releases);
    free(lock);
}

void lock_line_forget(timeline *t, lock_line *lock)
{
    if (lock->has_tracks || lock->held || lock->waiters)
        return;
    map_remove(&t->locks, lock->id);
    free_line(lock);
}

void locks_free(timeline *t)
{
    for (uint32_t i = 0; t->locks.slots && i <= t->locks.mask; i++)
        if (t->locks.slots[i].key)
            free_line((lock_line *)(uintptr_t)t->locks.slots[i].value);
    map_free(&t->locks);
}

uint32_t locks_stack(const thread_line *thread)
{
    return thread->waits ? thread->waits->stack : 0;
}

/* --- releases: written once it is known which wait they ended, if any --- */

static uint64_t write_release(timeline *t, const lock_line *lock, const lock_release *release, int with_flow)
{
    arg ev_args[EVENT_ARGS];
    event ev = {.args = ev_args, .ns = release->ns, .on = &release->by->on, .type = SCHEMA_TYPE_INSTANT,
                .category = SCHEMA_CAT_LOCK, .name = SCHEMA_RELEASE};
    event_uint(&ev, SCHEMA_ARG_LOCK, lock->id);
    packet_ref at = encoder_event(&t->out, &ev);
    thread_line_let_go(release->by);
    if (!with_flow)
        return 0;
    uint64_t flow = encoder_new_flow(&t->out);
    return encoder_add_flow(&t->out, &at, flow) == 0 ? flow : 0;
}

static void take_release(lock_line *lock, uint32_t at)
{
    lock->release_count--;
    memmove(&lock->releases[at], &lock->releases[at + 1], (lock->release_count - at) * sizeof *lock->releases);
}

void lock_releases_write(timeline *t, lock_line *lock)
{
    for (uint32_t i = 0; i < lock->release_count; i++)
        write_release(t, lock, &lock->releases[i], 0);
    lock->release_count = 0;
}

void lock_release_keep(timeline *t, lock_line *lock, lock_release release)
{
    thread_line_keep(release.by);
    if (lock->release_count == lock->release_capacity) {
        uint32_t capacity = lock->release_capacity * 2 + 4;
        lock_release *grown = realloc(lock->releases, capacity * sizeof *grown);
        if (!grown) {
            write_release(t, lock, &release, 0);
            return;
        }
        lock->releases = grown;
        lock->release_capacity = capacity;
    }
    lock->releases[lock->release_count++] = release;
}

/* --- the ends of threads --- */

/* The thread that has a pthread_t, or, with `ended`, the last that had it. (A thread that has it need not
 * have been recorded yet.) */
static thread_line *with_pthread(const timeline *t, uint64_t pthread, int ended)
{
    thread_line *found = NULL;
    for (uint32_t i = 0; t->threads.slots && i <= t->threads.mask; i++) {
        thread_line *thread = (thread_line *)(uintptr_t)t->threads.slots[i].value;
        if (!t->threads.slots[i].key || thread->pthread != pthread)
            continue;
        if (!thread->end_ns)
            return thread;
        if (!found || thread->end_ns > found->end_ns)
            found = thread;
    }
    for (int i = 0; i < ENDED && t->ended[i]; i++)
        if (t->ended[i]->pthread == pthread && (!found || t->ended[i]->end_ns > found->end_ns))
            found = t->ended[i];
    return ended ? found : NULL;
}

/* The thread that has a tid, or else the last that had it. */
static thread_line *with_tid(const timeline *t, uint32_t tid)
{
    thread_line *found = timeline_thread_of(t, tid);
    if (found)
        return found;
    for (int i = 0; i < ENDED && t->ended[i]; i++)
        if (t->ended[i]->tid == tid && (!found || t->ended[i]->end_ns > found->end_ns))
            found = t->ended[i];
    return found;
}

void lock_wait_joins(timeline *t, lock_wait *wait, uint64_t pthread, int ended)
{
    thread_line *before = wait->joined;
    if (before && wait->owner)
        return; /* its line may be out of reach by now */
    wait->is_end = 1;
    wait->pthread = pthread;
    wait->joined = thread_line_keep(wait->owner ? with_tid(t, wait->owner)
                                    : pthread ? with_pthread(t, pthread, ended) : NULL);
    thread_line_let_go(before);
}

/* The end of a thread may end several waits, unlike a release, which one wait uses up. */
static uint64_t end_flow(timeline *t, const thread_line *thread, lock_wait *wait, uint64_t until_ns, uint64_t *freed_ns)
{
    if (!wait->joined)
        lock_wait_joins(t, wait, wait->pthread, 1);
    thread_line *by = wait->joined;
    if (!by || by == thread || !by->end_ns || by->end_ns > until_ns)
        return 0;
    lock_release release = {by->end_ns, thread_line_keep(by), 0};
    *freed_ns = by->end_ns;
    return write_release(t, wait->of, &release, 1);
}

uint64_t locks_flow(timeline *t, thread_line *thread, uint64_t until_ns, uint64_t *freed_ns)
{
    lock_wait *wait = thread->waits;
    if (!wait || wait->outcome != LOCK_ACQUIRED)
        return 0;
    uint64_t flow = wait->is_end ? end_flow(t, thread, wait, until_ns, freed_ns) : 0;
    if (flow)
        return flow;
    lock_line *lock = wait->of;
    for (uint32_t n = 0; n < lock->release_count; n++) {
        /* Who alone may hold it was let in by the last release; permits are used in turn. */
        uint32_t i = lock->kind ? lock->release_count - 1 - n : n;
        lock_release release = lock->releases[i];
        /* A signal handler may release what its own thread waits for: no hand-over. */
        if (release.token != wait->token || release.by == thread || release.ns > until_ns)
            continue;
        take_release(lock, i);
        *freed_ns = release.ns;
        return write_release(t, lock, &release, 1);
    }
    return 0;
}

/* --- the slice of a wait --- */

static void add_lock(uint32_t lock, uint32_t slots, event *ev)
{
    event_uint(ev, SCHEMA_ARG_LOCK, lock);
    if (slots)
        event_uint(ev, SCHEMA_ARG_SLOTS, slots);
}

static void add_owner(const timeline *t, const lock_wait *wait, event *ev)
{
    const thread_line *owner = !wait->owner ? NULL : wait->joined ? wait->joined : timeline_thread_of(t, wait->owner);
    const task_line *task = wait->owner_task ? timeline_task(t, wait->owner_task) : NULL;
    if (wait->owner_task)
        event_uint(ev, SCHEMA_ARG_OWNER_TASK, wait->owner_task);
    else if (wait->owner)
        event_uint(ev, SCHEMA_ARG_OWNER, wait->owner);
    if (task)
        event_text(ev, SCHEMA_ARG_OWNER_NAME, task->name, task->name_length);
    else if (owner)
        event_text(ev, SCHEMA_ARG_OWNER_NAME, owner->on.name, owner->on.name_length);
    event_interned(ev, SCHEMA_ARG_OWNER_SITE, wait->owner_site);
}

/* Now that the thread has ended, it is known which one it was. */
static void add_joined(const lock_wait *wait, event *ev)
{
    if (!wait->joined || wait->outcome != LOCK_ACQUIRED)
        return;
    event_uint(ev, SCHEMA_ARG_OWNER, wait->joined->tid);
    event_text(ev, SCHEMA_ARG_OWNER_NAME, wait->joined->on.name, wait->joined->on.name_length);
}

void locks_begin_wait(timeline *t, thread_line *thread, event *ev)
{
    lock_wait *wait = thread->waits;
    if (!wait)
        return;
    ev->name_id = wait->what;
    add_lock(wait->of->id, wait->slots, ev);
    add_owner(t, wait, ev);
    wait->told = 1;
    wait->told_owner |= wait->owner != 0;
}

void locks_end_wait(timeline *t, thread_line *thread, event *ev)
{
    lock_wait *wait = thread->waits;
    if (!wait)
        return;
    if (!wait->told)
        add_lock(wait->of->id, wait->slots, ev);
    if (!wait->told_owner && wait->is_end && !wait->owner)
        add_joined(wait, ev);
    else if (!wait->told_owner)
        add_owner(t, wait, ev);
    event_bool(ev, SCHEMA_ARG_ACQUIRED, wait->outcome == LOCK_ACQUIRED);
}

/* --- the two ends of a wait --- */

lock_wait *lock_wait_begin(timeline *t, const thread_line *thread, uint32_t id, uint64_t ns)
{
    lock_line *lock = lock_line_of(t, id);
    lock_wait *wait = malloc(sizeof *wait);
    if (!wait || (!lock && !(lock = add_line(t, id)))) {
        free(wait);
        return NULL;
    }
    *wait = (lock_wait){.of = lock, .next = lock->first, .since_ns = ns, .tid = thread->tid, .outcome = LOCK_LASTS};
    lock->first = wait;
    return wait;
}

/* Removes a wait from its lock; the caller frees it. `ns` 0: nothing is written. */
static void forget_wait(timeline *t, lock_wait *wait, uint64_t ns)
{
    lock_line *lock = wait->of;
    for (lock_wait **at = &lock->first; *at; at = &(*at)->next) {
        if (*at == wait) {
            *at = wait->next;
            break;
        }
    }
    if (ns)
        hold_count(t, lock, -1, ns);
    else
        lock->waiters--;
    if (lock->kind && ns >= wait->since_ns && wait->outcome != LOCK_FREE)
        tally_span(&lock->waited, ns - wait->since_ns);
    if (lock->waiters)
        return;
    lock_releases_write(t, lock);
    lock_line_forget(t, lock);
}

void lock_wait_end(timeline *t, thread_line *thread, uint64_t ns)
{
    lock_wait *wait = thread->waits;
    thread->waits = wait->outer;
    forget_wait(t, wait, ns);
    thread_line_let_go(wait->joined);
    free(wait);
}

/* --- tasks: the wait is the `await` slice, which begins at once and ends as the task is woken --- */

static void show_wait(timeline *t, const thread_line *thread, task_line *task, const await_lock *details,
                      uint32_t site, event *ev)
{
    lock_wait *wait = lock_wait_begin(t, thread, details->lock, ev->ns);
    if (!wait)
        return;
    lock_line *lock = wait->of;
    wait->task = task->id;
    wait->owner_task = details->owner_task;
    wait->owner_site = details->owner_site;
    wait->told_owner = details->is_held != 0;
    task->waits = wait;
    add_owner(t, wait, ev);
    hold_tracks(t, lock, details->kind, site);
    if (wait->owner_task && !(lock->held && lock->owner_task == wait->owner_task))
        hold_begin(t, lock, (lock_owner){thread->tid, wait->owner_task, wait->owner_site, 1}, ev->ns);
    hold_count(t, lock, 1, ev->ns);
}

/* Who has the slots that a task waits for: "a (3), b (5), …", with the tasks' numbers; of a long name the end. */
static void add_holders(const timeline *t, const await_lock *lock, event *ev)
{
    static char text[HOLDERS_TEXT]; /* the writer's alone */
    await_holders known;
    memcpy(&known, lock + 1, sizeof known);
    size_t length = 0;
    uint32_t i = 0;
    for (; i < HOLDERS_MOST && known.tasks[i]; i++) {
        const task_line *task = timeline_task(t, known.tasks[i]);
        size_t whole = task ? task->name_length : 0, cut = whole > HOLDER_NAME ? whole - HOLDER_NAME : 0;
        while (cut && cut < whole && (task->name[cut] & 0xc0) == 0x80) /* inside a character */
            cut++;
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s%.*s (%u)", length ? ", " : "", cut ? "…" : "",
                                   (int)(whole - cut), task ? task->name + cut : "", known.tasks[i]);
    }
    if (lock->holders > i)
        length += (size_t)snprintf(text + length, sizeof text - length, ", …");
    event_text(ev, SCHEMA_ARG_HOLDERS, text, length);
}

void locks_task_waits(timeline *t, const thread_line *thread, task_line *task, const await_lock *lock, uint32_t site,
                      event *ev)
{
    task->awaits_lock = 1;
    task->outcome = LOCK_LASTS;
    add_lock(lock->lock, lock->slots, ev);
    event_interned(ev, SCHEMA_ARG_KIND, lock->shown_kind);
    if (lock->holders)
        add_holders(t, lock, ev);
    if (lock->kind)
        show_wait(t, thread, task, lock, site, ev);
}

void locks_task_woken(timeline *t, task_line *task, event *ev)
{
    lock_wait *wait = task->waits;
    if (wait && !wait->told_owner)
        add_owner(t, wait, ev);
    if (task->outcome != LOCK_LASTS)
        event_bool(ev, SCHEMA_ARG_ACQUIRED, task->outcome == LOCK_ACQUIRED);
    if (wait)
        forget_wait(t, wait, ev->ns);
    free(wait);
    task->waits = NULL;
    task->awaits_lock = 0;
}
