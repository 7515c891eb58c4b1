/* The string and function tables: append-only pages, read without a lock. */
#include "ring/intern.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "ring/map.h"
#include "ring/memory.h"
#include "ring/text.h"

enum { PAGE = 1024, PAGES = 4096, SHOWN_BYTES = 1000 };

typedef struct {
    uint32_t length;
    char bytes[];
} text;

typedef struct {
    _Atomic(void *) pages[PAGES]; /* each PAGE entries of the table's type */
    _Atomic uint32_t count;
} table;

static table strings, functions;
static map by_hash; /* hash of the bytes -> first id with it; equal hashes chain through `chain` */
static map by_pair; /* name << 32 | site -> function id */
static map chain;   /* id -> next id with the same hash */
static pthread_mutex_t guard = PTHREAD_MUTEX_INITIALIZER; /* never taken on a hot path */

static uint64_t hash_bytes(const char *bytes, size_t length)
{
    uint64_t hash = 0xcbf29ce484222325ull;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3ull;
    return hash | 1;
}

/* Makes room for a new entry and returns its place and its id; ids begin at 1. */
static void *append(table *t, size_t entry_size, uint32_t *id)
{
    uint32_t index = atomic_load(&t->count) + 1;
    if (index / PAGE >= PAGES)
        return NULL;
    void *page = atomic_load(&t->pages[index / PAGE]);
    if (!page) {
        page = memory_take(PAGE * entry_size);
        if (!page)
            return NULL;
        atomic_store(&t->pages[index / PAGE], page);
    }
    *id = index;
    return (char *)page + (index % PAGE) * entry_size;
}

static const text *text_of(uint32_t id)
{
    text *const *page = atomic_load(&strings.pages[id / PAGE]);
    return page[id % PAGE];
}

static uint32_t add_string(uint64_t hash, const char *bytes, size_t length)
{
    uint32_t id;
    text **slot = append(&strings, sizeof *slot, &id);
    text *copy = slot ? memory_take(sizeof *copy + length + 1) : NULL;
    if (!copy)
        return 0;
    copy->length = (uint32_t)length;
    memcpy(copy->bytes, bytes, length);
    copy->bytes[length] = 0;
    uint64_t *first = map_put(&by_hash, hash);
    uint64_t *link = first && *first ? map_put(&chain, id) : NULL;
    if (!first || (*first && !link)) {
        memory_give(copy, sizeof *copy + length + 1);
        return 0;
    }
    if (link)
        *link = *first;
    *first = id;
    *slot = copy;
    atomic_store_explicit(&strings.count, id, memory_order_release);
    return id;
}

uint32_t intern_lines(const char *bytes, size_t length)
{
    uint64_t hash = hash_bytes(bytes, length);
    pthread_mutex_lock(&guard);
    uint64_t *at = map_find(&by_hash, hash);
    uint32_t id = at ? (uint32_t)*at : 0;
    while (id) {
        const text *known = text_of(id);
        if (known->length == length && !memcmp(known->bytes, bytes, length))
            break;
        at = map_find(&chain, id);
        id = at ? (uint32_t)*at : 0;
    }
    if (!id)
        id = add_string(hash, bytes, length);
    pthread_mutex_unlock(&guard);
    return id;
}

uint32_t intern_string(const char *bytes, size_t length)
{
    if (!text_needs_escape(bytes, length))
        return intern_lines(bytes, length);
    char shown[SHOWN_BYTES];
    return intern_lines(shown, text_escape(shown, sizeof shown, bytes, length));
}

uint32_t intern_function(uint32_t name, uint32_t site)
{
    pthread_mutex_lock(&guard);
    uint64_t *known = map_put(&by_pair, (uint64_t)name << 32 | site | 1ull << 63);
    uint32_t id = known ? (uint32_t)*known : 0;
    if (known && !id) {
        intern_func *slot = append(&functions, sizeof *slot, &id);
        if (slot) {
            *slot = (intern_func){name, site};
            atomic_store_explicit(&functions.count, id, memory_order_release);
            *known = id;
        }
    }
    pthread_mutex_unlock(&guard);
    return id;
}

const char *intern_text(uint32_t id, size_t *length)
{
    if (!id || id > atomic_load_explicit(&strings.count, memory_order_acquire)) {
        *length = 0;
        return "";
    }
    const text *found = text_of(id);
    *length = found->length;
    return found->bytes;
}

intern_func intern_function_of(uint32_t id)
{
    if (!id || id > atomic_load_explicit(&functions.count, memory_order_acquire))
        return (intern_func){0, 0};
    const intern_func *page = atomic_load(&functions.pages[id / PAGE]);
    return page[id % PAGE];
}

uint32_t intern_count(void)
{
    return atomic_load_explicit(&strings.count, memory_order_acquire) + 1;
}
