/* Who has tokens of Twisted's semaphores: they count them themselves, and do not know whose they are. */
#include "signals/twisted/tokens.h"

#include <string.h>

#include "python/plain.h"
#include "ring/map.h"
#include "ring/memory.h"

enum { SEMAPHORES = 256 };

typedef struct {
    const void *semaphore; /* address, only compared */
    uint32_t count, tasks[HOLDERS_MOST];
} tokens;

static tokens taken[SEMAPHORES]; /* guarded by the GIL */
static PyObject *str_tokens, *str_limit;

/* 0: it does not say. */
static uint32_t number_of(PyObject *semaphore, PyObject **name, const char *text)
{
    if (!*name && !(*name = PyUnicode_InternFromString(text)))
        return 0;
    PyObject *value = plain_attribute(semaphore, *name);
    long number = value && PyLong_CheckExact(value) ? PyLong_AsLong(value) : 0;
    PyErr_Clear();
    Py_XDECREF(value);
    return number > 0 ? (uint32_t)number : 0;
}

static uint32_t limit_of(PyObject *semaphore)
{
    return number_of(semaphore, &str_limit, "limit");
}

/* How many have one, by its own count. */
static uint32_t out_of(PyObject *semaphore)
{
    uint32_t limit = limit_of(semaphore), left = number_of(semaphore, &str_tokens, "tokens");
    return limit > left ? limit - left : 0;
}

/* Nobody is known where the semaphore counts others than those that were told of, as another one at its address did. */
static tokens *place_of(PyObject *semaphore, uint32_t count)
{
    tokens *place = &taken[map_hash((uint64_t)(uintptr_t)semaphore) % SEMAPHORES];
    if (place->semaphore != semaphore || place->count != count)
        *place = (tokens){semaphore, count, {0}};
    return place;
}

/* 0 is a place without anybody. Whether there was such a one. */
static int replace(tokens *place, uint32_t before, uint32_t now)
{
    for (int i = 0; i < HOLDERS_MOST; i++) {
        if (place->tasks[i] == before) {
            place->tasks[i] = now;
            return 1;
        }
    }
    return 0;
}

int tokens_left(PyObject *semaphore)
{
    return number_of(semaphore, &str_tokens, "tokens") > 0;
}

void tokens_take(PyObject *semaphore, uint32_t task)
{
    tokens *place = place_of(semaphore, out_of(semaphore));
    place->count++;
    replace(place, 0, task);
}

/* Whoever gives one back had it, or else nobody knows who did. */
void tokens_give(PyObject *semaphore, uint32_t task, int is_wanted, uint32_t next)
{
    tokens *place = place_of(semaphore, out_of(semaphore));
    if (!task || !replace(place, task, 0))
        memset(place->tasks, 0, sizeof place->tasks);
    if (is_wanted)
        replace(place, 0, next);
    else
        place->count -= place->count > 0;
}

void tokens_tell(PyObject *semaphore, await_facts *facts)
{
    const tokens *place = place_of(semaphore, out_of(semaphore));
    uint32_t known = 0;
    facts->holders = (await_holders){0};
    for (int i = 0; i < HOLDERS_MOST; i++)
        if (place->tasks[i])
            facts->holders.tasks[known++] = place->tasks[i];
    facts->holder_count = known ? place->count : 0;
    facts->slots = limit_of(semaphore);
}

void tokens_forget(void)
{
    ring_zero(taken, sizeof taken);
}
