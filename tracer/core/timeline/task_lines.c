/* The lines of tasks: a track each or a shared lane, and what it is called. */
#include "timeline/task_lines.h"

#include <stdlib.h>
#include <string.h>

#include "ring/intern.h"
#include "ring/text.h"
#include "timeline/counts.h"
#include "timeline/loops.h"
#include "timeline/user.h"

uint64_t task_line_not_before(timeline *t, uint64_t since_ns, uint64_t ns)
{
    if (ns >= since_ns)
        return ns;
    t->late++;
    return since_ns;
}

static const char *coroutine_name(const task_line *task, size_t *length)
{
    uint32_t name = intern_function_of(task->func).name;
    if (name)
        return intern_text(name, length);
    *length = 4;
    return "task";
}

/* trio calls its tasks by their function: "app.main". */
static int is_named_by(const task_line *task, const char *coroutine, size_t length)
{
    size_t before = task->name_length > length ? task->name_length - length : 0;
    return before && task->name[before - 1] == '.' && !memcmp(task->name + before, coroutine, length);
}

/* Behind the first `at` bytes of a name, as far as it fits. Returns how long the name is now, cut or not. */
static size_t add(char name[NAME_BYTES], size_t at, const char *text, size_t length)
{
    size_t room = at < NAME_BYTES ? NAME_BYTES - at : 0;
    if (room)
        memcpy(name + at, text, length < room ? length : room);
    return at + length;
}

void task_line_show_name(task_line *task)
{
    char name[NAME_BYTES];
    size_t length, shown = 0;
    const char *coroutine = coroutine_name(task, &length);
    int has_own = !task->merged, has_coroutine = task->merged || !is_named_by(task, coroutine, length);
    if (has_own)
        shown = add(name, shown, task->name, task->name_length);
    if (has_own && has_coroutine)
        shown = add(name, shown, " ", 1);
    if (has_coroutine)
        shown = add(name, shown, coroutine, length);
    shown = add(name, shown, "()", 2);
    track_rename(&task->on->on, name, text_fit(name, shown, sizeof name - 1));
}

/* The lane is taken at once, so that two tasks of one lane never overlap. */
static int take_line(timeline *t, task_line *task)
{
    task->merged = t->own_tracks >= SCHEMA_OWN_TRACK_TASKS && task->loop;
    if (task->merged) {
        uint64_t *head = map_find(&task->loop->lanes, task->func ? task->func : UINT64_MAX);
        if (head && *head) {
            task->on = (lane *)(uintptr_t)*head;
            *head = (uint64_t)(uintptr_t)task->on->next_free;
            task->since_ns = task_line_not_before(t, task->on->free_ns, task->since_ns);
            return 0;
        }
    }
    task->on = calloc(1, sizeof *task->on);
    if (!task->on)
        return -1;
    track_init(&t->out, &task->on->on, TRACK_KIND_PLAIN, task->loop ? &task->loop->tasks : &t->process, "", 0);
    if (task->merged) {
        task_line_show_name(task);
    } else { /* named when it is shown: its name may still change */
        task->on->on.merge_none = 1;
        t->own_tracks++;
    }
    return 0;
}

int task_line_is_greenlet(const task_line *task)
{
    return task->loop && task->loop->id >> LOOP_KIND_SHIFT == LOOP_GREENLETS;
}

int task_line_name(task_line *task, const char *given, size_t length)
{
    char number[16], *first = number + sizeof number;
    if (!length) {
        for (uint32_t rest = task->id; rest || first == number + sizeof number; rest /= 10)
            *--first = (char)('0' + rest % 10);
        *--first = '#';
        length = (size_t)(number + sizeof number - first);
        given = first;
    }
    char *name = malloc(length);
    if (!name)
        return -1;
    memcpy(name, given, length);
    free(task->name);
    task->name = name;
    task->name_length = (uint32_t)length;
    return 0;
}

task_line *task_line_add(timeline *t, uint32_t id, uint32_t func, loop_line *loop, uint64_t ns)
{
    task_line *task = calloc(1, sizeof *task);
    uint64_t *slot = task ? map_put(&t->tasks, id) : NULL;
    if (!slot) {
        free(task);
        return NULL;
    }
    *slot = (uint64_t)(uintptr_t)task;
    *task = (task_line){.id = id, .func = func, .loop = loop, .since_ns = ns};
    if (task_line_name(task, "", 0) < 0 || take_line(t, task) < 0) {
        map_remove(&t->tasks, id);
        free(task->name);
        free(task);
        return NULL;
    }
    t->live_tasks++;
    task->counts = count_new(t, func);
    if (loop)
        loop->live++;
    if (t->unshown_count == t->unshown_capacity) {
        uint32_t capacity = t->unshown_capacity * 2 + 64;
        uint32_t *grown = realloc(t->unshown, capacity * sizeof *grown);
        if (!grown)
            return task; /* shown with its next record instead */
        t->unshown = grown;
        t->unshown_capacity = capacity;
    }
    t->unshown[t->unshown_count++] = id;
    return task;
}

void task_line_free(timeline *t, task_line *task)
{
    map_remove(&t->tasks, task->id);
    t->live_tasks--;
    if (task->counts)
        task->counts->live--;
    if (task->loop)
        task->loop->live--;
    if (task->merged) {
        task->on->free_ns = task->since_ns;
        uint64_t *head = map_put(&task->loop->lanes, task->func ? task->func : UINT64_MAX);
        if (head) {
            task->on->next_free = (lane *)(uintptr_t)*head;
            *head = (uint64_t)(uintptr_t)task->on;
        }
    } else {
        user_line_free(t, task->on->user);
        track_free(&task->on->on);
        free(task->on);
    }
    if (task->loop && task->loop->is_over)
        loop_ends(t, task->loop);
    free(task->name);
    free(task);
}
